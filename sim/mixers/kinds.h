// The kinds that registry.cc lists: one function a mixer, defined in its own file or folder.
#pragma once

#include "sim/mixers/mixer.h"

namespace sala {

MixerKind infllm_v2_kind();
MixerKind lightning_kind();
MixerKind full_attention_kind();

}  // namespace sala
