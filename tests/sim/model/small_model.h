// Small configs for the model tests: every extent different, so that a mix-up cannot hide.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sala/core/rng.h"
#include "sala/model/config.h"
#include "sim/mixers/infllm_v2/fields.h"
#include "sim/mixers/lightning/fields.h"
#include "sim/mixers/softmax_fields.h"
#include "tests/sim/expect_error.h"

namespace sala {

inline ModelConfig small_config(const std::string& letters) {
  ModelConfig config;
  config.vocab_size = 97;
  config.hidden_size = 40;
  config.intermediate_size = 56;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 16;
  config.own<LightningFields>().lightning_nh = config.own<LightningFields>().lightning_nkv = 3;
  config.own<LightningFields>().lightning_head_dim = 32;
  config.scale_emb = 3;
  config.scale_depth = 1.4;
  config.dim_model_base = 16;
  config.own<SoftmaxFields>().attn_use_output_gate = true;
  config.own<SoftmaxFields>().attn_qk_norm = true;
  config.mixer_types = layer_map_from_string(letters);
  config.num_hidden_layers = static_cast<int64_t>(letters.size());
  config.own<InfLlmV2Fields>().sparse_config = {8, 4, 16, 1, 32, 3, 0, false};
  config.resolve();
  config.validate();
  return config;
}

inline std::vector<int32_t> random_ids(const ModelConfig& config, int64_t count, uint64_t seed = 1) {
  Rng rng(seed, "tests/random_ids");
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(config.vocab_size))));
  return ids;
}

// A folder of its own that vanishes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sala_test_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace sala
