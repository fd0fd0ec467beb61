// SPDX-License-Identifier: Apache-2.0
// The files of a tokenizer, and a text for it. The first byte is 'j' (tokenizer.json) or 'f' (vocab.json and merges.txt);
// then follow, with '\f' between them, tokenizer_config.json, the file or files, and the text.
#include "base/utf8.hpp"
#include "fuzz/scratch.hpp"
#include "pipeline/clip_tokenizer.hpp"

#include <cstdlib>

using namespace sdfleet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::Scratch scratch;
    if (size == 0) {
        return 0;
    }
    std::string_view rest = fuzz::text_of(data + 1, size - 1);
    scratch.write("tokenizer_config.json", fuzz::take_part(rest));
    if (data[0] == 'j') {
        scratch.write("tokenizer.json", fuzz::take_part(rest));
    } else {
        scratch.remove("tokenizer.json");
        scratch.write("vocab.json", fuzz::take_part(rest));
        scratch.write("merges.txt", fuzz::take_part(rest));
    }
    const auto tokenizer = pipeline::ClipTokenizer::load(scratch.path());
    if (!tokenizer || !base::is_utf8(std::string(rest))) {
        return 0;
    }
    const auto ids = tokenizer->encode(rest);
    if (ids.size() != static_cast<std::size_t>(tokenizer->max_length())) {
        std::abort();
    }
    for (const std::int64_t id : ids) {
        if (id < 0 || id > tokenizer->largest_id()) {
            std::abort();
        }
    }
    return 0;
}
