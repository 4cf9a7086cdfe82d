// A position encoding: every second token is multiplied by a number.
#include "sim/posenc/posenc.h"
#include "tests/extension/toys.h"

namespace sala::toys {
namespace {

class Alternating final : public PositionEncoding {
 public:
  explicit Alternating(double factor) : factor_(static_cast<float>(factor)) {}
  void rotate(const ops::Context&, int64_t first_position, TensorView<float, 3> x) override {
    for (int64_t t = 0; t < x.extent[0]; ++t)
      for (int64_t h = 0; (first_position + t) % 2 != 0 && h < x.extent[1]; ++h)
        for (int64_t i = 0; i < x.extent[2]; ++i) x[t][h][i] *= factor_;
  }
  int64_t table_bytes(int64_t) const override { return 0; }

 private:
  float factor_;
};

}  // namespace

void register_alternating() {
  PositionEncodingKind kind;
  kind.name = "alternating";
  kind.title = "alternating";
  kind.description = "odd positions times a factor";
  kind.params = {{.name = "factor", .help = "of odd positions", .fallback = 0.5, .min = -10, .max = 10}};
  kind.make = [](int64_t, const EncodingParams& params) -> std::unique_ptr<PositionEncoding> {
    return std::make_unique<Alternating>(params.at("factor"));
  };
  register_position_encoding(std::move(kind));
}

}  // namespace sala::toys
