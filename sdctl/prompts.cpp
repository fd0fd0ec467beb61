// SPDX-License-Identifier: Apache-2.0
#include "sdctl/prompts.hpp"

#include "base/atomic_file.hpp"
#include "base/utf8.hpp"
#include "proto/job_spec.hpp"

#include <charconv>
#include <optional>
#include <system_error>

namespace sdfleet::sdctl {

namespace {

constexpr std::string_view white_space = " \t\r\n\v\f";

bool is_blank(std::string_view text)
{
    return text.find_first_not_of(white_space) == std::string_view::npos;
}

tl::unexpected<base::Error> usage(std::string message)
{
    return base::fail(base::ExitCode::usage, std::move(message));
}

std::optional<std::string> find_fault(std::string_view text)
{
    if (text.size() > proto::max_prompt_bytes) {
        return "this prompt has " + std::to_string(text.size()) + " bytes; at most " +
               std::to_string(proto::max_prompt_bytes) + " are allowed";
    }
    if (!base::is_utf8(text)) {
        return "this is not UTF-8; convert the text to UTF-8 first";
    }
    if (text.find('\0') != std::string_view::npos) {
        return "this holds a NUL byte, so it is no text";
    }
    return std::nullopt;
}

} // namespace

base::Result<std::vector<Prompt>> parse_prompts(std::string_view content, const std::string& name)
{
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (content.starts_with(byte_order_mark)) {
        content.remove_prefix(byte_order_mark.size());
    }
    std::vector<Prompt> prompts;
    for (std::size_t number = 1; !content.empty(); ++number) {
        const auto end = content.find('\n');
        auto line = content.substr(0, end);
        content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        const auto place = name + ":" + std::to_string(number);
        if (const auto fault = find_fault(line)) {
            return usage(place + ": " + *fault);
        }
        if (!is_blank(line)) {
            prompts.push_back({std::string(line), place});
        }
        if (prompts.size() > proto::max_items_per_job) {
            return usage(place + ": a job holds at most " + std::to_string(proto::max_items_per_job) +
                         " prompts; split the file");
        }
    }
    if (prompts.empty()) {
        return usage(name + ": there is no prompt in this file; write one on each line");
    }
    return prompts;
}

base::Result<std::vector<Prompt>> read_prompts(const std::filesystem::path& file)
{
    constexpr std::size_t max_file_bytes = std::size_t{1} << 30;
    auto content = base::read_file(file, max_file_bytes);
    if (!content) {
        return usage("prompts file: " + content.error().message);
    }
    return parse_prompts(*content, file.string());
}

base::Result<std::vector<Prompt>> check_prompts(const std::vector<std::string>& texts)
{
    std::vector<Prompt> prompts;
    for (const auto& text : texts) {
        const auto place = "--prompt " + std::to_string(prompts.size() + 1);
        if (is_blank(text)) {
            return usage(place + ": this prompt is empty");
        }
        if (const auto fault = find_fault(text)) {
            return usage(place + ": " + *fault);
        }
        prompts.push_back({text, place});
    }
    return prompts;
}

base::Result<RankedPrompt> take_rank(const Prompt& prompt)
{
    RankedPrompt result;
    const std::string_view text = prompt.text;
    const auto begin = text.find_first_not_of(white_space);
    const auto [end, error] = std::from_chars(text.data() + begin, text.data() + text.size(), result.rank);
    const auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
    if (error != std::errc() || !rest.starts_with(':') || is_blank(rest.substr(1))) {
        return usage(prompt.place + ": split 'rank' needs a rank before each prompt, as in '0: a dog'");
    }
    const auto prompt_begin = rest.find_first_not_of(white_space, 1);
    result.text = rest.substr(prompt_begin);
    return result;
}

} // namespace sdfleet::sdctl
