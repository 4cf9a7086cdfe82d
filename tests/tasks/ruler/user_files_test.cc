// The user's own texts: formats of spec tasks 1.8 and 1.11, their place in samples, and files that are not what they should
// be.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sala/core/error.h"
#include "sala/core/sha256.h"
#include "sala/tasks/corpora.h"
#include "tasks/text/key_list.h"
#include "tasks/text/sentences.h"
#include "tasks/text/unicode.h"
#include "tests/tasks/ruler/ruler_check.h"

namespace sala::tasks {
namespace {

namespace fs = std::filesystem;
const std::string kData = SALA_SOURCE_DIR "/tests/data/ruler/";

class UserFiles : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return (folder_ / name).string();
  }
  // What load_corpora() says about a file in one of the places.
  std::string refusal(std::string CorporaPaths::*place, const std::string& bytes,
                      ErrorCode code = ErrorCode::kFormat) const {
    CorporaPaths paths;
    paths.*place = write("hostile", bytes);
    try {
      load_corpora(paths);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << bytes.substr(0, 80);
    return "";
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("sala_user_files_{}", ::getpid());
};

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Sha256, VectorsOfFips180) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(sha256_hex(std::string(55, 'x')).size(), 64u);
  EXPECT_NE(sha256_hex(std::string(55, 'x')), sha256_hex(std::string(56, 'x')));
}

TEST_F(UserFiles, AnEssayMayBeJsonJsonlOrText) {
  CorporaPaths paths;
  paths.essay = write("essay.json", R"({"text": "One  two\nthree. Four"})");
  EXPECT_EQ(load_corpora(paths)->essay_text, "One two three. Four");
  paths.essay = write("essay.jsonl", "{\"text\": \"One two.\"}\n\n{\"text\": \"Three\\tfour.\"}\n");
  EXPECT_EQ(load_corpora(paths)->essay_text, "One two. Three four.");
  paths.essay = write("essay.txt", "\xEF\xBB\xBFOne\xC2\xA0two. \xE3\x80\x80 Three.");
  const auto corpora = load_corpora(paths);
  EXPECT_EQ(corpora->essay_text, "One two. Three.") << "byte order mark and Unicode spaces";
  EXPECT_EQ(corpora->essay_sentences, (std::vector<std::string_view>{"One two.", "Three."}));
  EXPECT_EQ(corpora->essay_words, (std::vector<std::string_view>{"One", "two.", "Three."}));
  ASSERT_EQ(corpora->files.size(), 1u);
  EXPECT_EQ(corpora->files[0].role, "essay");
  EXPECT_EQ(corpora->files[0].bytes, 23);
  EXPECT_EQ(corpora->files[0].sha256, sha256_hex("\xEF\xBB\xBFOne\xC2\xA0two. \xE3\x80\x80 Three."));
  EXPECT_EQ(corpora->hash.size(), 16u);
}

TEST_F(UserFiles, SentencesOfTheEssayAreTheUsers) {
  CorporaPaths paths;
  paths.essay = write("essay.txt", " Mr. Fox  came.Then\nhe left. \"Why?\" Nobody knew. ");
  using Views = std::vector<std::string_view>;
  const Views wanted = {"Mr. Fox came.", "Then he left.", "\"Why?\" Nobody knew."};
  for (const std::string& file :
       {write("lines.txt", "\xEF\xBB\xBFMr. Fox came.\r\n\r\nThen he left.\r\n\"Why?\" Nobody knew."),
        write("list.json", "[\"Mr. Fox came.\", \"Then he\\nleft.\", \" \\\"Why?\\\" Nobody knew.\"]")}) {
    paths.sentences = file;
    const auto corpora = load_corpora(paths);
    EXPECT_EQ(corpora->essay_sentences, wanted);
    ASSERT_EQ(corpora->files.size(), 2u);
    EXPECT_EQ(corpora->files[1].role, "sentences");
  }
  const auto refused = [&](const std::string& name, const std::string& text) {
    paths.sentences = write(name, text);
    try {
      load_corpora(paths);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_TRUE(holds(refused("s.txt", "Mr. Fox came.\nThen she left.\n"),
                    "sentence 2 is 'Then she left.', but the essay goes on with 'Then he left."));
  EXPECT_TRUE(holds(refused("s.txt", "Mr. Fox came.\n"), "ends where the essay goes on with 'Then he left."));
  EXPECT_TRUE(holds(refused("s.txt", "Mr. Fox came. Then he left.\n"), "sentence 1 is 'Mr. Fox came. Then he left.'"));
  EXPECT_TRUE(
      holds(refused("s.txt", "Mr. Fox came.\nThen he left.\n\"Why?\" Nobody knew.\nMore.\n"), "sentence 4 is 'More.'"));
  EXPECT_TRUE(holds(refused("s.json", "[\"Mr. Fox came.\", 7]"), "[1] is no text"));
  paths.essay.clear();
  EXPECT_TRUE(holds(refused("s.txt", "Mr. Fox came.\n"), "give both"));
}

// Prose may begin with a bracket; JSON goes by its name or by its beginning, and an array is as good as lines.
TEST_F(UserFiles, ABracketDoesNotMakeProseJson) {
  CorporaPaths paths;
  for (const std::string text : {"[Translator's note: kept as it was.] One.", "{Draft} One two.", "[\"Yes\"], she said."}) {
    paths.essay = write("essay.txt", text);
    EXPECT_EQ(load_corpora(paths)->essay_text, text);
  }
  paths.essay = write("rows.json", "[{\"text\": \"One two.\"},\r\n {\"text\": \"Three.\"}]\r\n");
  EXPECT_EQ(load_corpora(paths)->essay_text, "One two. Three.");
  paths.essay = write("marked.jsonl", "\xEF\xBB\xBF{\"text\": \"One two.\"}\r\n{\"text\": \"Three.\"}\r\n");
  EXPECT_EQ(load_corpora(paths)->essay_text, "One two. Three.");
  paths.essay = write("prose.json", "[no JSON at all");
  EXPECT_THROW(load_corpora(paths), Error) << "its name says what it should be";
  for (const char* packed : {"\x1F\x8B\x08\x01", "PK\x03\x04", "PAR1"})
    EXPECT_TRUE(holds(refusal(&CorporaPaths::essay, packed), "is packed (")) << packed;
}

TEST_F(UserFiles, WordListsOfADirectoryAndEnglishWords) {
  write("nounlist.txt", "lamp\r\n\n  contact lens \n");
  write("adjectivelist.txt", "red\n");
  CorporaPaths paths;
  paths.words = folder_.string();
  paths.english = write("english.json", R"({"2": "zeta", "1": "alpha"})");
  const auto corpora = load_corpora(paths);
  EXPECT_EQ(corpora->nouns, (std::vector<std::string>{"lamp", "contact lens"}));
  EXPECT_EQ(corpora->adjectives, std::vector<std::string>{"red"});
  EXPECT_TRUE(corpora->verbs.empty());
  EXPECT_EQ(corpora->english, (std::vector<std::string>{"zeta", "alpha"})) << "the file's order";
  paths.english = write("english.txt", "zeta\nalpha\n");
  EXPECT_EQ(load_corpora(paths)->english, corpora->english);
  EXPECT_NE(load_corpora(paths)->hash, corpora->hash) << "other bytes, other hash";
}

TEST_F(UserFiles, SquadAsUpstreamReadsIt) {
  CorporaPaths paths;
  paths.squad = kData + "squad.json";
  const auto corpora = load_corpora(paths);
  EXPECT_EQ(corpora->squad.documents.size(), 28u);
  EXPECT_TRUE(std::is_sorted(corpora->squad.documents.begin(), corpora->squad.documents.end()));
  EXPECT_EQ(corpora->squad.questions.size(), 24u) << "one answerable question a paragraph but the third ones";
  const QaQuestion& first = corpora->squad.questions[0];
  EXPECT_EQ(first.question, "What is number 1?");
  EXPECT_EQ(first.answers, (std::vector<std::string>{"entity1", "entity1"}));
  EXPECT_TRUE(corpora->squad.documents[static_cast<size_t>(first.gold[0])].ends_with("entity1."));
  EXPECT_EQ(first.more.size(), 6u);
}

TEST_F(UserFiles, HotpotqaAsUpstreamReadsIt) {
  CorporaPaths paths;
  paths.hotpotqa = kData + "hotpotqa.json";
  const auto corpora = load_corpora(paths);
  EXPECT_EQ(corpora->hotpotqa.questions.size(), 5u);
  EXPECT_EQ(corpora->hotpotqa.documents.size(), 49u) << "one paragraph stands under two questions";
  for (const QaQuestion& question : corpora->hotpotqa.questions) {
    EXPECT_EQ(question.gold.size(), 10u);
    ASSERT_EQ(question.support.size(), 2u);
    for (const int64_t id : question.support) {
      const std::string& document = corpora->hotpotqa.documents[static_cast<size_t>(id)];
      EXPECT_TRUE(document.find(".3\n") < 12 || document.find(".7\n") < 12) << document;
    }
    EXPECT_TRUE(question.more.empty());
  }
}

TEST_F(UserFiles, StandInSamplesInPlaceOfTheBuiltInTexts) {
  const auto words = open_tokenizer("whitespace");
  write("nounlist.txt", "lamp\nriver\nstone\nglass\nchair\n");
  write("adjectivelist.txt", "red\nblue\n");
  CorporaPaths paths;
  paths.words = folder_.string();
  paths.essay = kData + "essay.txt";
  paths.squad = kData + "squad.json";
  paths.hotpotqa = kData + "hotpotqa.json";
  const auto corpora = load_corpora(paths);
  SampleRequest request;
  request.length = 2048;
  request.corpora = corpora.get();
  const Sample niah = task_of("niah_single_2").make_sample(request, *words);
  EXPECT_TRUE(holds(niah.input, "The bean rows near the wall held on longest."));
  EXPECT_EQ(niah.id, "ruler/niah_single_2@2048#0!42~files." + corpora->hash);
  EXPECT_TRUE(niah.evidence[0].key.starts_with("red-") || niah.evidence[0].key.starts_with("blue-")) << niah.evidence[0].key;
  EXPECT_EQ(regenerate(niah.id, *words, corpora.get()).prompt(), niah.prompt());
  EXPECT_THROW(regenerate(niah.id, *words), Error) << "without the files";
  EXPECT_THROW(regenerate("ruler/niah_single_2@2048#0!42", *words, corpora.get()), Error)
      << "with files that it was made without";

  request.length = 600;
  for (int64_t index = 0; index < 24; ++index) {  // the seed orders the questions; each is asked once
    request.index = index;
    const Sample qa = task_of("qa_1").make_sample(request, *words);
    check_frame(qa, *words, false, 0.95);
    EXPECT_TRUE(holds(qa.input, "Question: What is number "));
    EXPECT_EQ(occurrences(qa.input, qa.outputs[0] + "."), 1u) << "the gold paragraph stands once";
  }
  request.length = 500;
  const Sample hops = task_of("qa_2").make_sample(request, *words);
  EXPECT_EQ(hops.evidence.size(), 2u);
  EXPECT_TRUE(holds(hops.input, "Question: Which thing joins "));
}

// SQuAD 1.1 says of no question that it is impossible; the hub's tables have a question a row.
TEST_F(UserFiles, SquadOfOtherVersionsAndOfTheHub) {
  CorporaPaths paths;
  const std::string answers = R"("answers": [{"text": "blue", "answer_start": 0}])";
  paths.squad = write(
      "v1.json",
      R"({"version": "1.1", "data": [{"title": "T", "paragraphs": [{"context": "c", "qas": [{"id": "1", "question": "q", )" +
          answers + R"(}, {"id": "2", "question": "r", "is_impossible": null, )" + answers + "}]}]}]}");
  EXPECT_EQ(load_corpora(paths)->squad.questions.size(), 2u);
  const std::string
      row =
          R"({"id": "1", "title": "T", "context": "c 1", "question": "q 1", "answers": {"text": ["blue", "Blue"], "answer_start": [0, 0]}})",
      same =
          R"({"id": "2", "title": "T", "context": "c 2", "question": "q 2", "answers": {"text": ["red"], "answer_start": [0]}})",
      none =
          R"({"id": "3", "title": "U", "context": "c 0", "question": "q 3", "answers": {"text": [], "answer_start": []}})";
  for (const std::string& file : {write("rows.jsonl", row + "\n" + same + "\n" + none + "\n"),
                                  write("rows.json", "[" + row + ",\n" + same + ",\n" + none + "]")}) {
    paths.squad = file;
    const auto corpora = load_corpora(paths);
    EXPECT_EQ(corpora->squad.documents, (std::vector<std::string>{"c 0", "c 1", "c 2"}));
    ASSERT_EQ(corpora->squad.questions.size(), 2u) << "one has no answer";
    EXPECT_EQ(corpora->squad.questions[0].answers, (std::vector<std::string>{"blue", "Blue"}));
    EXPECT_EQ(corpora->squad.questions[0].gold, std::vector<int64_t>{1});
    EXPECT_EQ(corpora->squad.questions[0].more, std::vector<int64_t>{2}) << "the article's other paragraph";
  }
}

TEST_F(UserFiles, HotpotqaOfTheHubIsThePublishedOne) {
  const std::string
      head = R"("question": "q", "answer": "a", )",
      published = "{" + head + R"("supporting_facts": [["T", 0]], "context": [["S", ["s. ", "t."]], ["T", ["u."]]]})",
      hub =
          "{" + head +
          R"("supporting_facts": {"title": ["T"], "sent_id": [0]}, "context": {"title": ["S", "T"], "sentences": [["s. ", "t."], ["u."]]}})";
  CorporaPaths paths;
  paths.hotpotqa = write("published.json", "[" + published + "," + published + "]");
  const QaCollection wanted = load_corpora(paths)->hotpotqa;
  ASSERT_EQ(wanted.questions.size(), 2u);
  EXPECT_EQ(wanted.documents, (std::vector<std::string>{"S\ns. t.", "T\nu."}));
  for (const std::string& file :
       {write("hub.json", "[" + hub + "," + hub + "]"), write("hub.jsonl", hub + "\n" + hub + "\n")}) {
    paths.hotpotqa = file;
    const QaCollection made = load_corpora(paths)->hotpotqa;
    EXPECT_EQ(made.documents, wanted.documents);
    ASSERT_EQ(made.questions.size(), 2u);
    EXPECT_EQ(made.questions[1].gold, wanted.questions[1].gold);
    EXPECT_EQ(made.questions[1].support, std::vector<int64_t>{1});
  }
  EXPECT_TRUE(holds(refusal(&CorporaPaths::hotpotqa, R"([{"context": {"title": ["S"], "sentences": []}}])"),
                    "[0].context has 1 of \"title\" and 0 of \"sentences\""));
}

TEST_F(UserFiles, ACollectionTooShortForTheLengthIsRefused) {
  const auto words = open_tokenizer("whitespace");
  CorporaPaths paths;
  paths.squad = kData + "squad.json";
  const auto corpora = load_corpora(paths);
  SampleRequest request;
  request.length = 100000;
  request.corpora = corpora.get();
  try {
    task_of("qa_1").make_sample(request, *words);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_TRUE(holds(error.what(), "too few documents (28")) << error.what();
  }
  request.length = 512;
  request.split = Split::kTrain;
  EXPECT_THROW(task_of("qa_1").make_sample(request, *words), Error) << "no training rows from the user's file";
}

// As long as the list of all English words, in both shapes; work that grows with the square would take minutes.
TEST_F(UserFiles, WordListsMayBeLongButNotEndless) {
  constexpr int kWords = 370000;
  std::string lines, object = "{";
  for (int i = 0; i < kWords; ++i) {
    lines += "word" + std::to_string(i) + "\n";
    object += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\"word" + std::to_string(i) + "\"";
  }
  CorporaPaths paths;
  for (const std::string& path : {write("english.txt", lines), write("english.json", object + "}")}) {
    paths.english = path;
    const auto corpora = load_corpora(paths);
    ASSERT_EQ(corpora->english.size(), static_cast<size_t>(kWords));
    EXPECT_EQ(corpora->english.back(), "word369999");
  }
  std::filesystem::resize_file(paths.english, (1 << 26) + 1);
  for (std::string CorporaPaths::*list : {&CorporaPaths::english, &CorporaPaths::nouns}) {
    CorporaPaths endless;
    endless.*list = paths.english;
    try {
      load_corpora(endless);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kFormat);
      EXPECT_TRUE(holds(error.what(), "is 67108865 bytes long; at most 67108864 are expected")) << error.what();
    }
  }
}

TEST_F(UserFiles, HostileFilesAreNamedWithTheirPlace) {
  using P = CorporaPaths;
  EXPECT_TRUE(holds(refusal(&P::essay, "line one\nline \xFF two\n"), "line 2 (byte 14) is not UTF-8"));
  EXPECT_TRUE(holds(refusal(&P::essay, std::string("a\nb\nc\0d", 7)), "line 3 (byte 5) holds a NUL byte"));
  EXPECT_TRUE(holds(refusal(&P::essay, "{\"text\": \"a\"}\n{\"text\": 3}\n"), "line 2 is not an object"));
  EXPECT_TRUE(holds(refusal(&P::essay, "{\"text\": \"a\"}\n{\"text\": \n"), "line 2 is no valid JSON"));
  EXPECT_TRUE(holds(refusal(&P::essay, "{\"text\": \"a\"}\n{\"a\": 1, \"a\": 2}\n"), "line 2: key 'a' appears twice"));
  EXPECT_TRUE(holds(refusal(&P::essay, "{\n\"text\": \"a\",\n}"), "no valid JSON at line 3"));
  EXPECT_TRUE(holds(refusal(&P::essay, "[{\"text\": 2}]"), "is not an object with a string"));
  EXPECT_TRUE(holds(refusal(&P::essay, " \n\t "), "holds no text"));
  EXPECT_TRUE(holds(refusal(&P::nouns, "\n \n"), "holds no words"));
  EXPECT_TRUE(holds(refusal(&P::nouns, "lamp\n" + std::string(300, 'x')), "line 2 has 300 bytes"));
  EXPECT_TRUE(holds(refusal(&P::english, "{\"1\": \"a\", \"2\": 5}"), "the value of \"2\""));
  EXPECT_TRUE(holds(refusal(&P::english, "{\"1\": \"" + std::string(257, 'a') + "\"}"), "no word of 1 to 256 bytes"));
  EXPECT_TRUE(holds(refusal(&P::english, "[\"a\"]"), "no object whose values are the words"));
  EXPECT_TRUE(holds(refusal(&P::english, "{\"1\": \"a\""), "no valid JSON at line 1"));
  EXPECT_TRUE(holds(refusal(&P::english, "version https://git-lfs.github.com/spec/v1\noid sha256:1\n"), "Git LFS pointer"));
  EXPECT_TRUE(holds(refusal(&P::squad, "{}"), "has no \"data\""));
  EXPECT_TRUE(holds(refusal(&P::squad, R"({"data": [{"paragraphs": [{"context": 3, "qas": []}]}]})"),
                    "data[0].paragraphs[0].context is no string"));
  EXPECT_TRUE(holds(refusal(&P::squad, R"({"data": [{"paragraphs": [{"context": "c", "qas": [{"question": "q"}]}]}]})"),
                    "data[0].paragraphs[0].qas[0] has no \"answers\""));
  EXPECT_TRUE(holds(
      refusal(
          &P::squad,
          R"({"data": [{"paragraphs": [{"context": "c", "qas": [{"question": "q", "is_impossible": false, "answers": []}]}]}]})"),
      "is answerable but has no answers"));
  EXPECT_TRUE(holds(
      refusal(&P::squad,
              R"({"data": [{"paragraphs": [{"context": "c", "qas": [{"question": "q", "answers": [{"text": ""}]}]}]}]})"),
      "data[0].paragraphs[0].qas[0].answers.text is empty"));
  EXPECT_TRUE(holds(refusal(&P::squad, R"({"data": []})"), "holds no answerable question"));
  EXPECT_TRUE(holds(refusal(&P::hotpotqa, "{}"), "is no list of questions"));
  EXPECT_TRUE(holds(refusal(&P::hotpotqa, R"([{"context": [["t"]]}])"), "[0].context is no list of [title, sentences]"));
  EXPECT_TRUE(holds(refusal(&P::hotpotqa, R"([{"context": [["t", ["s"]]], "question": "q"}])"), "[0] has no \"answer\""));
  EXPECT_TRUE(holds(refusal(&P::hotpotqa, R"([{"context": [["t", ["s"]]], "question": "q", "answer": " "}])"),
                    "[0].answer is empty"));
  EXPECT_TRUE(holds(refusal(&P::hotpotqa, "[]"), "holds no question"));
  const auto nested = [](const std::string& before, const std::string& after) {
    return before + std::string(1 << 20, '[') + std::string(1 << 20, ']') + after;
  };
  for (const auto place : {&P::squad, &P::hotpotqa, &P::essay, &P::english})
    EXPECT_TRUE(holds(refusal(place, nested("{\"text\": ", "}")), "nested deeper than 32"))
        << "valid, and a stack overflow once";
  EXPECT_TRUE(holds(refusal(&P::hotpotqa, nested(R"([{"context": [["t", ["s"]]], "question": "q", "answer": "a",
      "supporting_facts": )",
                                                 "}]")),
                    "nested deeper than 32"));

  P missing;
  missing.squad = (folder_ / "nowhere").string();
  EXPECT_THROW(load_corpora(missing), Error);
  missing.squad = folder_.string();
  EXPECT_THROW(load_corpora(missing), Error) << "a directory";
  P empty_directory;
  fs::create_directories(folder_ / "empty");
  empty_directory.words = (folder_ / "empty").string();
  EXPECT_THROW(load_corpora(empty_directory), Error);
}

// sorted(set(f"{adjective}-{noun}")) in full, with adjectives that hold hyphens and nouns that make the same key twice.
TEST_F(UserFiles, KeyListIsPythonsSortedSet) {
  CorporaPaths paths;
  paths.adjectives = write("adjectives", "high\nhigh-level\nabc\nab\nhigh-lev\nfar-off\nab\nzoo\n");
  paths.nouns = write("nouns", "lamp\nlevel-lamp\nel\nice cream\nlev-el\nzebra\nlamp\n");
  const auto corpora = load_corpora(paths);
  std::set<std::string> expected;
  for (const std::string& adjective : corpora->adjectives)
    for (const std::string& noun : corpora->nouns) expected.insert(adjective + "-" + noun);
  const KeyList keys(corpora.get());
  ASSERT_EQ(keys.size(), static_cast<int64_t>(expected.size()));
  int64_t at = 0;
  for (const std::string& key : expected) EXPECT_EQ(keys[at++], key);
  EXPECT_LT(expected.size(), 7u * 6u) << "the case of equal keys must be in the test";
}

TEST(Sentences, RuleOfTheSpecification) {
  using S = std::vector<std::string_view>;
  EXPECT_EQ(split_sentences("One two. Three four! Five? 6 seven."), (S{"One two.", "Three four!", "Five?", "6 seven."}));
  EXPECT_EQ(split_sentences("He said \"no.\" Then left. (It rained.) So."),
            (S{"He said \"no.\"", "Then left.", "(It rained.)", "So."}));
  EXPECT_EQ(split_sentences("Mr. Smith met Dr. Jones. e.g. this."), (S{"Mr. Smith met Dr. Jones. e.g. this."}));
  EXPECT_EQ(split_sentences("J. Smith came. I did. But"), (S{"J. Smith came.", "I did.", "But"}));
  EXPECT_EQ(split_sentences("version 2.5 is out. it is"), (S{"version 2.5 is out. it is"})) << "no capital follows";
  EXPECT_EQ(split_sentences("Wait... What?"), (S{"Wait...", "What?"}));
  EXPECT_EQ(split_sentences("\xE2\x80\x9CYes.\xE2\x80\x9D \xE2\x80\x9CNo.\xE2\x80\x9D"),
            (S{"\xE2\x80\x9CYes.\xE2\x80\x9D", "\xE2\x80\x9CNo.\xE2\x80\x9D"}));
  EXPECT_TRUE(split_sentences("").empty());
  EXPECT_EQ(split_sentences("no end"), (S{"no end"}));
}

TEST(Whitespace, AsPythonSeesIt) {
  EXPECT_EQ(collapse_whitespace(" a\t\nb\xC2\x85\xE2\x80\x89"
                                "c\x1C"
                                "d\xE2\x80\x8B"),
            " a b c d\xE2\x80\x8B")
      << "U+200B is no whitespace";
  EXPECT_EQ(strip_whitespace("\xE3\x80\x80\n a b \xC2\xA0"), "a b");
  EXPECT_EQ(strip_whitespace(" \t "), "");
  EXPECT_EQ(strip_whitespace("\xE2\xC0\x80"), "\xE2\xC0\x80") << "no character, so no space";
}

}  // namespace
}  // namespace sala::tasks
