#include "sim/model/encodings.h"

#include <map>
#include <tuple>

namespace sala {

LayerEncodings::LayerEncodings(const ModelConfig& config) {
  std::map<std::tuple<std::string, EncodingParams, int64_t>, PositionEncoding*> known;
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const EncodingChoice choice = layer_encoding(config, layer);
    const int64_t dim = find_mixer(config.mixer_types[static_cast<std::size_t>(layer)]).shape(config).head_dim;
    PositionEncoding*& found = known[{choice.type, choice.params, dim}];
    if (found == nullptr) found = made_.emplace_back(make_position_encoding(choice, dim)).get();
    of_layer_.push_back(found);
  }
}

int64_t LayerEncodings::table_bytes(int64_t chunk) const {
  int64_t sum = 0;
  for (const auto& encoding : made_) sum += encoding->table_bytes(chunk);
  return sum;
}

}  // namespace sala
