// A model's tokenizer, what stands before its prompts and what ends its answers: by the files of its folder
// (docs/checkpoints.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "eval/spec/model_entry.h"
#include "sala/tokenizer/tokenizer.h"

namespace sala::eval {

// Takes the stop ids of generation_config.json, where there is one, into entry.config. Throws Error{kFormat, kConfig}.
void read_generation_config(ModelEntry& entry);

// `wanted` when it is given, else the tokenizer.json or tokenizer.model of the folder; members of the family and random
// weights fall back to the family's. Throws Error{kConfig} when its ids do not fit the model, Error{kIo} when there is none.
std::unique_ptr<Tokenizer> model_tokenizer(const ModelEntry& entry, const std::string& wanted);

struct TokenRules {
  std::vector<int32_t> prefix;     // ids before every prompt
  std::vector<int64_t> stops;      // any of them ends an answer
  std::vector<std::string> notes;  // sentences for the user
};
// The rules of `config`, which differs from the entry's in what the user has set. `tokenizer` is that of model_tokenizer().
// Throws Error{kUnsupported, kConfig} when the files ask for what cannot be done.
TokenRules token_rules(const ModelEntry& entry, const ModelConfig& config, const Tokenizer& tokenizer,
                       const std::string& wanted);

}  // namespace sala::eval
