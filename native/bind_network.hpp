// Networks of any cell, layers and streams as Python sees them. A Network holds the training of one run, and
// reads and differentiates other parameters on request; a NetworkSampler writes.
//
//   K symbols   H units   L layers   S states of the cell   T time steps   B, M streams   P parameters
//   slots   numbers that an update rule remembers for each parameter
#pragma once

#include <nanobind/nanobind.h>

#include "simd.hpp"

namespace hornbook {
inline namespace HORNBOOK_LEVEL {

void bind_networks(nanobind::module_& m);

}  // namespace HORNBOOK_LEVEL
}  // namespace hornbook
