// The conversation of an MRCR sample: exact texts, plain rendering, and the check that a row is what it claims (spec
// tasks 3.1, 3.3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sala/tasks/task.h"

namespace sala::tasks {

// The last message: `Prepend <hash> to the <ordinal> (1 indexed) <format> about <topic>. Do not include any other text in
// your response.`
struct MrcrQuestion {
  std::string hash;     // 10 characters [A-Za-z0-9]
  int64_t ordinal = 1;  // from 1
  std::string format, topic;
};
std::string mrcr_question(const MrcrQuestion& question);
std::optional<MrcrQuestion> parse_mrcr_question(std::string_view text);
std::string ordinal_word(int64_t ordinal);  // 1st, 2nd, 3rd, 4th, 11th, 21st

// `write a <format> about <topic>`, always "a".
std::string mrcr_request(std::string_view format, std::string_view topic);

// Rendering for models without a chat template: a message is its role on a line of its own ("User:", "Assistant:",
// "System:"), its content, and an empty line. The answer begins at the start of the line behind kMrcrAnswerPrefix.
std::string render_message(std::string_view role, std::string_view content);
inline constexpr std::string_view kMrcrAnswerPrefix = "Assistant:\n";

// A conversation as its plain rendering, in which every message stands once. The prompt is text + kMrcrAnswerPrefix.
struct Chat {
  std::string text;
  std::vector<Turn> turns;
  void add(std::string_view role, std::string_view content);
  std::vector<Message> messages() const& { return messages_of(text, turns); }
  std::vector<Message> messages() && = delete;  // they would outlive the chat
};

// What a row says (spec tasks 3.2), official or built in.
struct MrcrRow {
  Chat chat;           // preamble, request, reply, request, reply, ..., question
  std::string answer;  // hash immediately followed by the reply
  std::string hash;
  int64_t n_needles = 0;
  int64_t desired_msg_index = 0;  // of the request whose reply is wanted
  int64_t total_messages = 0, n_chars = 0;
  std::string date_added;  // opaque; rows before 2025-12 have none
  int64_t tokens = -1;     // contents + answer by the tokenizer of the bins; -1 = not counted
  int64_t line = 0;        // of the file, from 1; 0 = built in
};

// The loader check of spec tasks 3.3: as many equal requests as n_needles, answer = hash + that reply, the ordinal of the
// question. One sentence for each thing that is wrong; empty = sound.
std::vector<std::string> check_mrcr_row(const MrcrRow& row);

// Indexes of the messages that equal messages[desired_msg_index], ascending. "write an email" equals "write a email".
std::vector<int64_t> equal_requests(const std::vector<Message>& messages, int64_t desired_msg_index);

// For chat templates that demand alternating roles: neighbours of one role joined with a newline (messages 0 and 1 are both
// the user's).
Chat merge_turns(const std::vector<Message>& messages);

// Upper bound of the bin of spec tasks 3.3 that holds `tokens`: 8192, 16384, ..., 1048576; 0 = below 4096 or above the last.
int64_t mrcr_bin(int64_t tokens);
// Tokens of all contents and of the answer, without any template: what the bins count.
int64_t count_mrcr_tokens(const std::vector<Message>& messages, std::string_view answer, const Tokenizer& tokenizer);

}  // namespace sala::tasks
