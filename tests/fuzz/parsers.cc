#include "tests/fuzz/parsers.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "eval/score/predictions.h"
#include "eval/spec/family.h"
#include "eval/spec/model_tokens.h"
#include "eval/spec/plan.h"
#include "eval/spec/record.h"
#include "eval/spec/training_record.h"
#include "eval/util/toml.h"
#include "sala/core/error.h"
#include "sala/model/config.h"
#include "sala/model/safetensors.h"
#include "sala/tokenizer/tokenizer.h"
#include "sim/tokenizer/text_split.h"
#include "tasks/mrcr/rows.h"
#include "tasks/nolima/needle_set.h"
#include "tasks/text/corpora_files.h"

namespace sala {
namespace {

namespace fs = std::filesystem;

// A folder of this process for parsers that take a path; it goes with the process.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "sala_fuzz_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string write(const std::string& name, const std::string& bytes) const {
    const std::string path = (path_ / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

std::string written(const std::string& name, const std::string& bytes) {
  static const Folder folder;
  return folder.write(name, bytes);
}

void use_tokenizer(const std::string& path) {
  const auto tokenizer = open_tokenizer(path);
  const std::vector<int32_t> ids = tokenizer->encode("The Quick  fox's \u6f22\u5b57 12,345.\n\n \xff<|x|> end");
  tokenizer->decode(ids);
  tokenizer->prefix();
}

void config(const std::string& bytes) {
  const ModelConfig read = ModelConfig::from_json(bytes);
  ModelConfig::from_json(read.to_json());
}
void safetensors(const std::string& bytes) {
  const SafetensorsFile file = SafetensorsFile::open(written("model.safetensors", bytes));
  for (const TensorInfo& tensor : file.tensors()) file.raw(tensor.name);
}
void index(const std::string& bytes) {
  static const Folder folder;
  folder.write("a.safetensors", corpus("safetensors").front());
  folder.write("model.safetensors.index.json", bytes);
  SafetensorsCheckpoint::open(folder.path());
}
void tokenizer_json(const std::string& bytes) { use_tokenizer(written("tokenizer.json", bytes)); }
void sentencepiece(const std::string& bytes) { use_tokenizer(written("tokenizer.model", bytes)); }
std::string without_newline(const std::string& bytes) { return bytes.substr(0, bytes.size() - bytes.ends_with('\n')); }
void pattern(const std::string& bytes) {
  tokenizer::SplitPattern(without_newline(bytes))
      .isolate("The Quick  fox's \u6f22\u5b57 12,345.\n\n \u00e9 end", [](size_t, size_t) {});
}
void generation_config(const std::string& bytes) {
  static const Folder folder;
  folder.write("generation_config.json", bytes);
  eval::ModelEntry entry;
  entry.directory = folder.path();
  entry.config.vocab_size = 1000;
  eval::read_generation_config(entry);
}
void tokenizer_config(const std::string& bytes) {
  static const Folder folder;
  folder.write("tokenizer_config.json", bytes);
  eval::ModelEntry entry;
  entry.directory = folder.path();
  entry.config.vocab_size = 1000;
  eval::token_rules(entry, entry.config, *open_tokenizer("byte"), "");
}
void toml(const std::string& bytes) { eval::read_toml(written("flags.toml", bytes)); }
void family(const std::string& bytes) { eval::planned_members(written("family.toml", bytes)); }
void training(const std::string& bytes) {
  static const Folder folder;
  folder.write("training.json", bytes);
  const auto read = eval::read_training(folder.path());
  if (!read->problem.empty()) throw Error(ErrorCode::kFormat, "{}", read->problem);
}
void record(const std::string& bytes) { eval::to_line(eval::parse_line(bytes)); }
void prediction(const std::string& bytes) {
  std::string line = bytes;
  std::vector<std::string> notes;
  eval::detect_format(eval::parse_json_line(line, notes));
}
void indexes(const std::string& bytes) { eval::format_indexes(eval::parse_indexes(without_newline(bytes))); }
void needles(const std::string& bytes) { tasks::expand_needle_set(tasks::parse_needle_set(bytes, "needles", nullptr)); }
void mrcr(const std::string& bytes) { tasks::read_mrcr_rows(bytes, "rows"); }
void squad(const std::string& bytes) { tasks::parse_squad(tasks::read_text_file("squad", written("squad.json", bytes))); }
void hotpotqa(const std::string& bytes) {
  tasks::parse_hotpotqa(tasks::read_text_file("hotpotqa", written("hotpotqa.json", bytes)));
}
void essay(const std::string& bytes) { tasks::parse_essay(tasks::read_text_file("essay", written("essay", bytes))); }
void english(const std::string& bytes) {
  tasks::parse_english_words(tasks::read_text_file("english", written("english", bytes)));
}

}  // namespace

const std::vector<Parser>& parsers() {
  static const std::vector<Parser> table = {
      {"config", config},
      {"safetensors", safetensors},
      {"index", index},
      {"tokenizer_json", tokenizer_json},
      {"sentencepiece", sentencepiece},
      {"pattern", pattern},
      {"generation_config", generation_config},
      {"tokenizer_config", tokenizer_config},
      {"toml", toml},
      {"family", family},
      {"training", training},
      {"record", record},
      {"prediction", prediction},
      {"indexes", indexes},
      {"needles", needles},
      {"mrcr", mrcr},
      {"squad", squad},
      {"hotpotqa", hotpotqa},
      {"essay", essay},
      {"english", english},
  };
  return table;
}

std::vector<std::string> corpus(const std::string& name) {
  std::vector<fs::path> files;
  for (const auto& file : fs::directory_iterator(fs::path(SALA_SOURCE_DIR) / "tests" / "fuzz" / "corpus" / name))
    files.push_back(file.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const fs::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

}  // namespace sala
