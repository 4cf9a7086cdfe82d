// SQuAD and HotpotQA files into one form (spec tasks 1.8).
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "sala/core/error.h"
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
  const std::string& string(const Json& object, const char* name, const std::string& where) const {
    const Json& value = member(object, name, where);
    if (!value.is_string()) fail(where + "." + name, "is no string");
    return value.get_ref<const std::string&>();
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
std::string hotpot_document(const Reader& reader, const Json& entry, const std::string& where) {
  if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_array())
    reader.fail(where, "is no [title, [sentences]]");
  std::string document = entry[0].get<std::string>() + "\n";
  for (const Json& sentence : entry[1]) {
    if (!sentence.is_string()) reader.fail(where, "holds a sentence that is no string");
    document += sentence.get_ref<const std::string&>();
  }
  return document;
}

}  // namespace

QaCollection parse_squad(const TextFile& file) {
  const Json json = parse_json(file);
  const Reader reader(file);
  QaCollection collection;
  const Json& articles = reader.array(json, "data", "the file");
  const auto paragraph_name = [](size_t a, size_t p) { return fmt::format("data[{}].paragraphs[{}]", a, p); };
  for (size_t a = 0; a < articles.size(); ++a) {
    const Json& paragraphs = reader.array(articles[a], "paragraphs", fmt::format("data[{}]", a));
    for (size_t p = 0; p < paragraphs.size(); ++p)
      collection.documents.push_back(reader.string(paragraphs[p], "context", paragraph_name(a, p)));
  }
  const auto index = index_documents(collection.documents);
  for (size_t a = 0; a < articles.size(); ++a) {
    const Json& paragraphs = articles[a]["paragraphs"];
    std::vector<int64_t> article;
    for (const Json& paragraph : paragraphs) article.push_back(index.at(paragraph["context"].get_ref<const std::string&>()));
    for (size_t p = 0; p < paragraphs.size(); ++p) {
      const Json& entries = reader.array(paragraphs[p], "qas", paragraph_name(a, p));
      for (size_t q = 0; q < entries.size(); ++q) {
        const std::string where = fmt::format("{}.qas[{}]", paragraph_name(a, p), q);
        const Json& impossible = reader.member(entries[q], "is_impossible", where);
        if (!impossible.is_boolean()) reader.fail(where + ".is_impossible", "is neither true nor false");
        if (impossible.get<bool>()) continue;
        QaQuestion question;
        question.question = reader.string(entries[q], "question", where);
        for (const Json& answer : reader.array(entries[q], "answers", where))
          question.answers.push_back(reader.string(answer, "text", where + ".answers"));
        if (question.answers.empty()) reader.fail(where, "is answerable but has no answers");
        question.gold = question.support = {article[p]};
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
  const Json json = parse_json(file);
  const Reader reader(file);
  if (!json.is_array()) reader.fail("the file", "is no list of questions");
  QaCollection collection;
  std::vector<std::vector<std::string>> documents;
  for (size_t q = 0; q < json.size(); ++q) {
    const std::string where = fmt::format("[{}]", q);
    documents.emplace_back();
    for (const Json& entry : reader.array(json[q], "context", where))
      documents.back().push_back(hotpot_document(reader, entry, where + ".context"));
    if (documents.back().empty()) reader.fail(where + ".context", "is empty");
    collection.documents.insert(collection.documents.end(), documents.back().begin(), documents.back().end());
  }
  const auto index = index_documents(collection.documents);
  for (size_t q = 0; q < json.size(); ++q) {
    const std::string where = fmt::format("[{}]", q);
    QaQuestion question;
    question.question = reader.string(json[q], "question", where);
    question.answers = {reader.string(json[q], "answer", where)};
    static const Json kNone = Json::array();
    const Json& facts = json[q].contains("supporting_facts") ? reader.array(json[q], "supporting_facts", where) : kNone;
    for (const std::string& document : documents[q]) {
      const int64_t id = index.at(document);
      question.gold.push_back(id);
      const bool supports = std::any_of(facts.begin(), facts.end(), [&](const Json& fact) {
        return fact.is_array() && !fact.empty() && fact[0].is_string() &&
               document.starts_with(fact[0].get_ref<const std::string&>() + "\n");
      });
      if (supports) question.support.push_back(id);
    }
    collection.questions.push_back(std::move(question));
  }
  if (collection.empty()) throw Error(ErrorCode::kFormat, "hotpotqa file {} holds no question", file.path);
  return collection;
}

}  // namespace sala::tasks
