#include "tasks/mrcr/conversation.h"

#include <fmt/format.h>

#include <charconv>

namespace sala::tasks {
namespace {

constexpr std::string_view kTail = ". Do not include any other text in your response.";
constexpr size_t kHashChars = 10;

// Removes `prefix` from the front of `text`; false when it is not there.
bool skip(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// The request without its article, so that "write an email" and "write a email" are one.
std::string_view request_body(std::string_view content) {
  if (!skip(content, "write an ")) skip(content, "write a ");
  return content;
}

std::string_view role_name(std::string_view role) {
  return role == "user" ? "User" : role == "assistant" ? "Assistant" : "System";
}

bool alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

}  // namespace

std::string ordinal_word(int64_t ordinal) {
  const int64_t tens = ordinal % 100, ones = ordinal % 10;
  const bool teens = tens >= 11 && tens <= 13;
  return fmt::format("{}{}", ordinal, teens ? "th" : ones == 1 ? "st" : ones == 2 ? "nd" : ones == 3 ? "rd" : "th");
}

std::string mrcr_question(const MrcrQuestion& question) {
  return fmt::format("Prepend {} to the {} (1 indexed) {} about {}{}", question.hash, ordinal_word(question.ordinal),
                     question.format, question.topic, kTail);
}

std::optional<MrcrQuestion> parse_mrcr_question(std::string_view text) {
  MrcrQuestion question;
  if (!skip(text, "Prepend ")) return std::nullopt;
  const size_t hash_end = text.find(" to the ");
  if (hash_end == std::string_view::npos || !text.ends_with(kTail)) return std::nullopt;
  question.hash = text.substr(0, hash_end);
  text.remove_prefix(hash_end + std::string_view(" to the ").size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), question.ordinal);
  if (error != std::errc() || question.ordinal < 1) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.size() < 2) return std::nullopt;
  text.remove_prefix(2);  // st, nd, rd, th
  if (!skip(text, " (1 indexed) ")) return std::nullopt;
  text.remove_suffix(kTail.size());
  const size_t at = text.find(" about ");
  if (at == std::string_view::npos) return std::nullopt;
  question.format = text.substr(0, at);
  question.topic = text.substr(at + std::string_view(" about ").size());
  return question;
}

std::string mrcr_request(std::string_view format, std::string_view topic) {
  return fmt::format("write a {} about {}", format, topic);
}

std::vector<int64_t> equal_requests(const std::vector<Message>& messages, int64_t desired_msg_index) {
  std::vector<int64_t> equal;
  const std::string_view wanted = request_body(messages[static_cast<size_t>(desired_msg_index)].content);
  for (size_t i = 0; i + 1 < messages.size(); ++i) {
    if (messages[i].role == "user" && request_body(messages[i].content) == wanted) equal.push_back(static_cast<int64_t>(i));
  }
  return equal;
}

std::vector<std::string> check_mrcr_row(const MrcrRow& row) {
  std::vector<std::string> wrong;
  const std::vector<Message> messages = row.chat.messages();
  const auto count = static_cast<int64_t>(messages.size());
  if (row.desired_msg_index < 0 || row.desired_msg_index > count - 3) {
    wrong.push_back(fmt::format("desired_msg_index {} points outside the {} messages", row.desired_msg_index, count));
    return wrong;
  }
  if (row.total_messages != count)
    wrong.push_back(fmt::format("total_messages says {}, the prompt has {}", row.total_messages, count));
  const Message reply = messages[static_cast<size_t>(row.desired_msg_index) + 1];
  if (messages[static_cast<size_t>(row.desired_msg_index)].role != "user" || reply.role != "assistant")
    wrong.push_back(
        fmt::format("desired_msg_index {} is no request of the user with a reply behind it", row.desired_msg_index));
  const std::vector<int64_t> equal = equal_requests(messages, row.desired_msg_index);
  if (static_cast<int64_t>(equal.size()) != row.n_needles)
    wrong.push_back(fmt::format("{} requests equal the wanted one, n_needles says {}", equal.size(), row.n_needles));
  if (row.answer != std::string(row.hash).append(reply.content))
    wrong.push_back("answer is not the hash followed by the wanted reply");
  bool clean = row.hash.size() == kHashChars;
  for (char c : row.hash) clean = clean && alphanumeric(c);
  if (!clean) wrong.push_back(fmt::format("hash '{}' is not {} letters and digits", row.hash, kHashChars));
  const auto question = parse_mrcr_question(messages.back().content);
  if (!question) {
    wrong.push_back("the last message is not the question 'Prepend <hash> to the <ordinal> (1 indexed) ...'");
    return wrong;
  }
  if (question->hash != row.hash)
    wrong.push_back(fmt::format("the question asks for hash '{}', the row has '{}'", question->hash, row.hash));
  const auto at = static_cast<size_t>(question->ordinal) - 1;
  if (at >= equal.size() || equal[at] != row.desired_msg_index)
    wrong.push_back(
        fmt::format("the {} such request is not message {}", ordinal_word(question->ordinal), row.desired_msg_index));
  return wrong;
}

std::string render_message(std::string_view role, std::string_view content) {
  return fmt::format("{}:\n{}\n\n", role_name(role), content);
}

void Chat::add(std::string_view role, std::string_view content) {
  text.append(role_name(role)).append(":\n");
  const auto begin = static_cast<int64_t>(text.size());
  text.append(content);
  turns.push_back({std::string(role), begin, static_cast<int64_t>(text.size())});
  text.append("\n\n");
}

Chat merge_turns(const std::vector<Message>& messages) {
  Chat merged;
  std::string content;
  for (size_t i = 0; i < messages.size(); ++i) {
    content.append(messages[i].content);
    if (i + 1 < messages.size() && messages[i + 1].role == messages[i].role) {
      content.push_back('\n');
      continue;
    }
    merged.add(messages[i].role, content);
    content.clear();
  }
  return merged;
}

int64_t mrcr_bin(int64_t tokens) {
  constexpr int64_t kFirst = 4096, kLast = 1048576;
  if (tokens < kFirst || tokens > kLast) return 0;
  int64_t upper = 2 * kFirst;
  while (upper < tokens) upper *= 2;
  return upper;
}

int64_t count_mrcr_tokens(const std::vector<Message>& messages, std::string_view answer, const Tokenizer& tokenizer) {
  int64_t tokens = tokenizer.count(answer);
  for (const Message& message : messages) tokens += tokenizer.count(message.content);
  return tokens;
}

}  // namespace sala::tasks
