// Stacks the arrays of a cell's samples into its HDF5 group. Knows no statistic by name.
#pragma once

#include <cstdint>
#include <functional>

#include "eval/observe/array.h"
#include "eval/store/h5.h"

namespace sala::eval {

// Writes every array as [sample, axes ...] below `cell`: axis `sample` is the scale `samples`, the others get scales of
// their own where their names say. What a sample lacks is the array's padding (NaN for floats). `read` gives the arrays of
// a sample (0 .. count - 1); it is called twice for each, so that one sample is in memory at a time.
// Throws Error{kFormat} when samples disagree about an array's type, axes, words or attributes, or about the extents of
// integers without padding; Error{kIo}.
void write_arrays(h5::Group& cell, const h5::Dataset& samples, int64_t count,
                  const std::function<SampleArrays(int64_t sample)>& read);

}  // namespace sala::eval
