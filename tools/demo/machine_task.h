// The demo's third task: what a machine's temperature looks like over a day when nothing is wrong.
#pragma once

#include <cstdint>
#include <filesystem>

#include "skep/demo/learning_task.h"

namespace skep::demo {

/// Windows of 24 hourly means of NAB's machine temperature, made by the stages of skep::observe as
/// skep-nab makes them, one an hour.
///
/// A window that ends within a labelled failure is one of that failure's; one that touches none is
/// normal. Of the series' blocks of three days every fifth is held out, `seed` says which; a window
/// of both kinds of block belongs to neither set. So no hour of a held-out window is in a training
/// window. Training windows are in the order of time and all have label 0: deal() gives each device
/// a stretch of its own.
///
/// Throws std::runtime_error as anomaly::load_nab_series().
LearningTask machine_task(const std::filesystem::path& data, std::uint32_t seed);

}  // namespace skep::demo
