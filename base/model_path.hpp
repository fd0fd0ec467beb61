// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <filesystem>
#include <string>

namespace sdfleet::base {

/// The folder of a model that is named by a folder or, as "ORG/NAME" or "ORG/NAME@REVISION", by its repository in this
/// machine's Hugging Face cache (HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub).
/// Nothing is ever downloaded. Errors: ExitCode::bad_input, saying where it was looked for.
Result<std::filesystem::path> find_model_folder(const std::string& text);

/// "NAME" of "ORG/NAME@REVISION": a cached model's folder is called by its commit.
std::string repository_name(const std::string& text);

/// Where the Hugging Face libraries keep what they downloaded, by the environment of this process.
std::filesystem::path huggingface_cache();

} // namespace sdfleet::base
