#include "eval/cli/user_flags.h"

#include <fmt/format.h>

#include <algorithm>

#include "eval/util/streams.h"

namespace sala::eval {
namespace {

constexpr std::size_t kMostProblems = 20;  // said one by one

}  // namespace

void add_user_flags(Command& command, UserFlags& flags, bool with_mode) {
  const char* group = "What samples are made of";
  if (with_mode)
    command
        .add_option("--mode", flags.mode_word,
                    "fixed: without upstream's defects; upstream: its random streams and sizing (docs/tasks.md)")
        .one_of({"fixed", "upstream"})
        .show_default()
        .group(group);
  const auto add = [&](const char* flag, std::string& path, const char* type, const char* help) {
    command.add_option(flag, path, help).type_name(type).group(group);
  };
  tasks::CorporaPaths& texts = flags.paths.corpora;
  add("--corpus", texts.essay, "FILE", "Essay: JSON {\"text\": ..}, JSONL of them, or plain text");
  add("--sentences", texts.sentences, "FILE", "Sentences of --corpus, one a line or a JSON list [split by a rule]");
  add("--words", texts.words, "DIR", "Directory with nounlist.txt, adjectivelist.txt, verblist.txt");
  add("--nouns", texts.nouns, "FILE", "Nouns, one a line");
  add("--adjectives", texts.adjectives, "FILE", "Adjectives, one a line");
  add("--verbs", texts.verbs, "FILE", "Verbs, one a line");
  add("--english", texts.english, "FILE", "Long word list of cwe: JSON object of words, or one a line");
  add("--squad", texts.squad, "FILE", "SQuAD v2.0 file for qa_1");
  add("--hotpotqa", texts.hotpotqa, "FILE", "HotpotQA distractor file for qa_2");
  add("--needles", flags.paths.needles, "FILE", "NoLiMa needle set, upstream's JSON: nolima is then nolima_user");
  add("--books", flags.paths.books, "DIR", "Directory of .txt books for NoLiMa: nolima is then nolima_user");
  add("--mrcr", flags.paths.mrcr, "FILE", "openai/mrcr rows as JSONL: mrcr is then mrcr_official_2, ...");
  add("--bins", flags.paths.bins, "FILE",
      "Tokenizer that puts these rows in their bins (o200k_base) [the rows' own `tokens`]");
}

std::unique_ptr<const tasks::UserFiles> open_user_files(const UserFlags& flags, const std::string& command, bool quiet) {
  std::unique_ptr<const tasks::UserFiles> files = tasks::open_user_files(flags.paths);
  if (files->corpora() != nullptr && !quiet)
    for (const tasks::CorpusFile& file : files->corpora()->files)
      streams::note("{}: {} {} ({} bytes) sha256 {}\n", command, file.role, file.path, file.bytes, file.sha256);
  const std::vector<std::string>& problems = files->problems();
  for (std::size_t i = 0; i < std::min(problems.size(), kMostProblems); ++i) streams::note("{}: {}\n", command, problems[i]);
  if (problems.size() > kMostProblems)
    streams::note("{}: {} more problems of this kind\n", command, problems.size() - kMostProblems);
  return files;
}

}  // namespace sala::eval
