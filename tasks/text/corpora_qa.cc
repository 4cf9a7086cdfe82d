// SQuAD and HotpotQA files into one form (spec tasks 1.8).
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "sala/core/error.h"
#include "sim/text/printable.h"
#include "tasks/text/corpora_files.h"

namespace sala::tasks {
namespace {

using Json = nlohmann::json;

// Members of a parsed file, with the path of whatever is not as it should be in the message.
class Reader {
 public:
  explicit Reader(const TextFile& file) : file_(file) {}
  [[noreturn]] void fail(const std::string& where, std::string_view what) const {
    throw Error(ErrorCode::kFormat, "{} file {}: {} {}", file_.role, file_.path, where, what);
  }
  const Json& member(const Json& object, const char* name, const std::string& where) const {
    if (!object.is_object()) fail(where, "is no object");
    const auto found = object.find(name);
    if (found == object.end()) fail(where, fmt::format("has no \"{}\"", name));
    return *found;
  }
  const Json& array(const Json& object, const char* name, const std::string& where) const {
    const Json& value = member(object, name, where);
    if (!value.is_array()) fail(where + "." + name, "is no list");
    return value;
  }
  // Null counts as absent.
  static const Json* optional(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }
  const std::string& string(const Json& object, const char* name, const std::string& where) const {
    const Json& value = member(object, name, where);
    if (!value.is_string()) fail(where + "." + name, "is no string");
    return value.get_ref<const std::string&>();
  }
  // An answer without a character would be right whatever is said.
  const std::string& answer(const Json& object, const char* name, const std::string& where) const {
    const std::string& value = string(object, name, where);
    if (text::is_blank(value)) fail(where + "." + name, "is empty");
    return value;
  }

 private:
  const TextFile& file_;
};

// Sorts and de-duplicates `documents`, whose bytes are in code point order, and returns the index of each.
std::unordered_map<std::string, int64_t> index_documents(std::vector<std::string>& documents) {
  std::sort(documents.begin(), documents.end());
  documents.erase(std::unique(documents.begin(), documents.end()), documents.end());
  std::unordered_map<std::string, int64_t> index;
  for (size_t i = 0; i < documents.size(); ++i) index.emplace(documents[i], static_cast<int64_t>(i));
  return index;
}

// "title\n" and the sentences without a separator.
std::string hotpot_document(const Reader& reader, const Json& title, const Json& sentences, const std::string& where) {
  if (!title.is_string() || !sentences.is_array()) reader.fail(where, "is no title with a list of sentences");
  std::string document = title.get<std::string>() + "\n";
  for (const Json& sentence : sentences) {
    if (!sentence.is_string()) reader.fail(where, "holds a sentence that is no string");
    document += sentence.get_ref<const std::string&>();
  }
  return document;
}

// Pairs [[a, b], ...], or the hub's columns {first: [a, ...], second: [b, ...]}.
std::vector<std::pair<Json, Json>> pairs_of(const Reader& reader, const Json& value, const char* first, const char* second,
                                            const std::string& where) {
  std::vector<std::pair<Json, Json>> pairs;
  if (value.is_object()) {
    const Json &firsts = reader.array(value, first, where), &seconds = reader.array(value, second, where);
    if (firsts.size() != seconds.size())
      reader.fail(where, fmt::format("has {} of \"{}\" and {} of \"{}\"", firsts.size(), first, seconds.size(), second));
    for (size_t i = 0; i < firsts.size(); ++i) pairs.emplace_back(firsts[i], seconds[i]);
    return pairs;
  }
  if (!value.is_array()) reader.fail(where, "is no list");
  for (const Json& pair : value) {
    if (!pair.is_array() || pair.size() != 2) reader.fail(where, fmt::format("is no list of [{}, {}]", first, second));
    pairs.emplace_back(pair[0], pair[1]);
  }
  return pairs;
}

// The hub's table of questions {title, context, question, answers: {text: [...]}} in the form of the published file.
Json squad_of_rows(const Reader& reader, const std::vector<text::JsonRow>& rows) {
  Json articles = Json::array();
  std::map<std::string, size_t> article_of;
  std::map<std::pair<size_t, std::string>, size_t> paragraph_of;
  for (const auto& [where, row] : rows) {
    const std::string &title = reader.string(row, "title", where), &context = reader.string(row, "context", where);
    const auto [article, new_title] = article_of.emplace(title, articles.size());
    if (new_title) articles.push_back({{"title", title}, {"paragraphs", Json::array()}});
    Json& paragraphs = articles[article->second]["paragraphs"];
    const auto [paragraph, new_context] = paragraph_of.emplace(std::pair(article->second, context), paragraphs.size());
    if (new_context) paragraphs.push_back({{"context", context}, {"qas", Json::array()}});
    Json answers = Json::array();
    for (const Json& text : reader.array(reader.member(row, "answers", where), "text", where + ".answers"))
      answers.push_back({{"text", text}});
    const bool impossible = answers.empty();
    paragraphs[paragraph->second]["qas"].push_back({{"question", reader.string(row, "question", where)},
                                                    {"is_impossible", impossible},
                                                    {"answers", std::move(answers)}});
  }
  return {{"data", std::move(articles)}};
}

bool is_question(const Json& value) { return value.is_object() && value.contains("question"); }

Json squad_document(const Reader& reader, std::vector<text::JsonRow> rows) {
  if (!rows.empty() && is_question(rows[0].value)) return squad_of_rows(reader, rows);
  return rows.size() == 1 ? std::move(rows[0].value) : Json::array();
}

}  // namespace

QaCollection parse_squad(const TextFile& file) {
  const Reader reader(file);
  const Json json = squad_document(reader, parse_json_rows(file));
  QaCollection collection;
  const Json& articles = reader.array(json, "data", "the file");
  const auto paragraph_name = [](size_t a, size_t p) { return fmt::format("data[{}].paragraphs[{}]", a, p); };
  for (size_t a = 0; a < articles.size(); ++a) {
    const Json& paragraphs = reader.array(articles[a], "paragraphs", fmt::format("data[{}]", a));
    for (size_t p = 0; p < paragraphs.size(); ++p)
      collection.documents.push_back(reader.string(paragraphs[p], "context", paragraph_name(a, p)));
  }
  const auto index = index_documents(collection.documents);
  size_t kept = 0;                          // documents of all questions: each keeps those of its article
  constexpr size_t kMostKept = 50'000'000;  // the published file has 6 million
  for (size_t a = 0; a < articles.size(); ++a) {
    const Json& paragraphs = articles[a]["paragraphs"];
    std::vector<int64_t> article;
    for (const Json& paragraph : paragraphs) article.push_back(index.at(paragraph["context"].get_ref<const std::string&>()));
    for (size_t p = 0; p < paragraphs.size(); ++p) {
      const Json& entries = reader.array(paragraphs[p], "qas", paragraph_name(a, p));
      for (size_t q = 0; q < entries.size(); ++q) {
        const std::string where = fmt::format("{}.qas[{}]", paragraph_name(a, p), q);
        if (!entries[q].is_object()) reader.fail(where, "is no object");
        const Json* impossible = Reader::optional(entries[q], "is_impossible");  // SQuAD 1.1 has none
        if (impossible != nullptr && !impossible->is_boolean())
          reader.fail(where + ".is_impossible", "is neither true nor false");
        if (impossible != nullptr && impossible->get<bool>()) continue;
        QaQuestion question;
        question.question = reader.string(entries[q], "question", where);
        for (const Json& answer : reader.array(entries[q], "answers", where))
          question.answers.push_back(reader.answer(answer, "text", where + ".answers"));
        if (question.answers.empty()) reader.fail(where, "is answerable but has no answers");
        question.gold = question.support = {article[p]};
        if ((kept += article.size()) > kMostKept)
          reader.fail(paragraph_name(a, p),
                      "is of an article with so many paragraphs and questions that they cannot be kept");
        for (const int64_t document : article)
          if (document != article[p]) question.more.push_back(document);
        collection.questions.push_back(std::move(question));
      }
    }
  }
  if (collection.empty()) throw Error(ErrorCode::kFormat, "squad file {} holds no answerable question", file.path);
  return collection;
}

QaCollection parse_hotpotqa(const TextFile& file) {
  const Reader reader(file);
  const std::vector<text::JsonRow> rows = parse_json_rows(file);
  if (rows.size() == 1 && rows[0].where == "the file" && !is_question(rows[0].value))
    reader.fail("the file", "is no list of questions");
  QaCollection collection;
  std::vector<std::vector<std::string>> documents;
  for (const auto& [where, row] : rows) {
    documents.emplace_back();
    const std::string place = where + ".context";
    for (const auto& [title, sentences] :
         pairs_of(reader, reader.member(row, "context", where), "title", "sentences", place))
      documents.back().push_back(hotpot_document(reader, title, sentences, place));
    if (documents.back().empty()) reader.fail(place, "is empty");
    collection.documents.insert(collection.documents.end(), documents.back().begin(), documents.back().end());
  }
  const auto index = index_documents(collection.documents);
  for (size_t q = 0; q < rows.size(); ++q) {
    const auto& [where, row] = rows[q];
    QaQuestion question;
    question.question = reader.string(row, "question", where);
    question.answers = {reader.answer(row, "answer", where)};
    std::vector<std::string> supporting;
    if (const Json* facts = Reader::optional(row, "supporting_facts"))
      for (const auto& [title, sentence] : pairs_of(reader, *facts, "title", "sent_id", where + ".supporting_facts"))
        if (title.is_string()) supporting.push_back(title.get<std::string>() + "\n");
    for (const std::string& document : documents[q]) {
      const int64_t id = index.at(document);
      question.gold.push_back(id);
      if (std::any_of(supporting.begin(), supporting.end(),
                      [&](const std::string& title) { return document.starts_with(title); }))
        question.support.push_back(id);
    }
    collection.questions.push_back(std::move(question));
  }
  if (collection.empty()) throw Error(ErrorCode::kFormat, "hotpotqa file {} holds no question", file.path);
  return collection;
}

}  // namespace sala::tasks
