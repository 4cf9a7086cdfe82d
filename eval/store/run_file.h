// run.h5, schema `sala.run/1` (docs/file_formats.md).
#pragma once

#include <string>

#include "eval/report/results.h"
#include "eval/spec/provenance.h"
#include "eval/store/directory.h"
#include "eval/store/h5.h"

namespace sala::eval {

// Writes DIR/run.h5 from the journal: a new file beside it, then a rename, so a reader always finds a whole one.
// Everything that may differ between two runs of the same plan lies under /provenance. Holds one sample's selection in
// memory at a time. Throws Error{kIo}.
void write_run_file(const RunDirectory& directory, const RunPlan& plan, const RunResults& results,
                    const Provenance& provenance);

// Opens DIR/run.h5 of any run. Throws Error{kFormat} for what is none, Error{kUnsupported} for another schema.
h5::File open_run_file(const std::string& path);

}  // namespace sala::eval
