#include "skep/privacy/noise.h"

namespace skep::privacy {

Noised without_noise(Clipped clipped) { return Noised(clipped.delta()); }

}  // namespace skep::privacy
