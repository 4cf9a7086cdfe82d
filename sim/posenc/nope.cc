// No position encoding at all: what softmax layers of the released model have.
#include "sim/posenc/posenc.h"

namespace sala {
namespace {

class NoEncoding final : public PositionEncoding {
 public:
  void rotate(const ops::Context&, int64_t, TensorView<float, 3>) override {}
  bool is_identity() const override { return true; }
  int64_t table_bytes(int64_t) const override { return 0; }
};

}  // namespace

EncodingChoice no_encoding() { return {"nope"}; }

PositionEncodingKind nope_kind() {
  PositionEncodingKind kind;
  kind.name = no_encoding().type;
  kind.title = "none";
  kind.description = "no position encoding";
  kind.make = [](int64_t, const EncodingParams&) -> std::unique_ptr<PositionEncoding> {
    return std::make_unique<NoEncoding>();
  };
  return kind;
}

}  // namespace sala
