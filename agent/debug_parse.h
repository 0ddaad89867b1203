// Shows what the reply parser makes of a text: for people who write parsers, models or bug reports.
#pragma once

#include <cstddef>
#include <iosfwd>

namespace levin::agent {

// Reads one model reply from `in`, feeds it to the parser `chunk_bytes` at a time (0: at once) and
// prints one JSON object to `out` (docs/formats/reply.md). One <end_of_sentence> at the end, with
// or without a line break after it, is removed first. Returns the exit code: 0, or 1 when `out`
// failed.
int debug_parse(size_t chunk_bytes, std::istream& in, std::ostream& out);

}  // namespace levin::agent
