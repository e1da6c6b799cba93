// Which request is which among those that a Device has under way.
#pragma once

#include "skep/transport/client.h"

namespace skep::round {

inline constexpr transport::RequestId kObserveRequest = 0;
inline constexpr transport::RequestId kModelRequest = 1;
inline constexpr transport::RequestId kUploadRequest = 2;

}  // namespace skep::round
