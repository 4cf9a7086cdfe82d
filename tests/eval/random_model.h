// A folder of models with random weights and the family's tokenizer: what the program needs, small enough for a test.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sala/model/safetensors.h"
#include "sim/model/random_model.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {

// Three selecting layers, so that a block is sometimes selected and sometimes not; 6 blocks of 16 tokens of a prompt of 512.
inline ModelConfig random_config(const std::string& letters = "SLSS") {
  ModelConfig config = small_config(letters);
  config.vocab_size = 4096;
  config.bos_token_id = 1;
  config.eos_token_id = {2};
  config.sala_lab.family = "random";
  config.validate();
  return config;
}

inline void write_random_model(const std::string& directory, const ModelConfig& config, uint64_t seed) {
  std::filesystem::create_directories(directory);
  const RandomSource source(config, seed);
  SafetensorsWriter writer;
  for (const std::string& name : source.names()) {
    const std::vector<int64_t> shape = source.shape(name);
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    std::vector<float> values(static_cast<size_t>(count));
    source.read(name, values);
    writer.add_floats(name, shape, values);
  }
  writer.write(directory + "/model.safetensors");
  write_bytes(directory + "/config.json", config.to_json());
}

// FOLDER/sala-tiny, FOLDER/full-tiny and FOLDER/tokenizer.model, for the environment variable SALA_MODELS.
inline void write_random_family(const std::string& folder) {
  write_random_model(folder + "/sala-tiny", random_config(), 1);
  write_random_model(folder + "/full-tiny", random_config("FFFF"), 2);
  std::filesystem::copy_file(std::string(SALA_SOURCE_DIR) + "/models/tokenizer.model", folder + "/tokenizer.model");
}

}  // namespace sala::eval
