// SPDX-License-Identifier: Apache-2.0
#include "sdctl/output.hpp"

#include <cstdio>

namespace sdfleet::sdctl {

namespace {

/// What peers say may be any bytes; JSON must stay UTF-8.
std::string dump(const Json& value, int indent)
{
    return value.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace

void print_document(const Json& document)
{
    print_text(dump(document, 2));
}

void print_json_line(const Json& line)
{
    print_text(dump(line, -1));
}

void print_text(const std::string& text)
{
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

void narrate(const std::string& line)
{
    std::fprintf(stderr, "%s\n", line.c_str());
}

} // namespace sdfleet::sdctl
