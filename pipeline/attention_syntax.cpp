// SPDX-License-Identifier: Apache-2.0
#include "pipeline/attention_syntax.hpp"

#include <charconv>
#include <optional>

namespace sdfleet::pipeline {

namespace {

constexpr double emphasis = 1.1;
constexpr std::string_view break_word = "BREAK";

bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_word_sign(char c)
{
    // Every byte of a letter beyond ASCII counts as part of a word.
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

void skip_spaces(std::string_view& text)
{
    while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
    }
}

/// ":1.3)" at the start of `text`, spaces allowed around the number; takes it off.
std::optional<double> take_weight(std::string_view& text)
{
    std::string_view rest = text.substr(1);
    skip_spaces(rest);
    const bool negative = rest.starts_with('-');
    if (negative || rest.starts_with('+')) {
        rest.remove_prefix(1);
    }
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789."), rest.size());
    double value = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + digits, value, std::chars_format::fixed);
    if (parsed.ec != std::errc() || parsed.ptr != rest.data() + digits) {
        return std::nullopt;
    }
    rest.remove_prefix(digits);
    skip_spaces(rest);
    if (!rest.starts_with(')')) {
        return std::nullopt;
    }
    text = rest.substr(1);
    return negative ? -value : value;
}

class Parser {
public:
    std::vector<PromptPart> parse(std::string_view text)
    {
        while (!text.empty()) {
            take(text);
        }
        for (const std::size_t start : round_) {
            multiply_from(start, emphasis);
        }
        for (const std::size_t start : square_) {
            multiply_from(start, 1 / emphasis);
        }
        return joined();
    }

private:
    void take(std::string_view& text)
    {
        const char sign = text.front();
        if (sign == ':' && !round_.empty()) {
            if (const auto weight = take_weight(text)) {
                close(round_, *weight);
                return;
            }
        }
        std::size_t length = 1;
        if (sign == '\\') {
            text.remove_prefix(1);
            length = !text.empty() && std::string_view("()[]\\").find(text.front()) != std::string_view::npos ? 1 : 0;
            add_text(text.substr(0, length));
        } else if (sign == '(') {
            round_.push_back(parts_.size());
        } else if (sign == '[') {
            square_.push_back(parts_.size());
        } else if (sign == ')' && !round_.empty()) {
            close(round_, emphasis);
        } else if (sign == ']' && !square_.empty()) {
            close(square_, 1 / emphasis);
        } else {
            length = std::min(text.find_first_of("\\()[]:", 1), text.size());
            add_with_breaks(text.substr(0, length));
        }
        text.remove_prefix(length);
    }

    void add_text(std::string_view text) { parts_.emplace_back(WeightedText{std::string(text), 1}); }

    void add_with_breaks(std::string_view text)
    {
        std::size_t from = 0;
        for (std::size_t at = text.find(break_word); at != std::string_view::npos; at = text.find(break_word, at + 1)) {
            const std::size_t end = at + break_word.size();
            if ((at > 0 && is_word_sign(text[at - 1])) || (end < text.size() && is_word_sign(text[end]))) {
                continue;
            }
            add_text(text.substr(from, at - from));
            parts_.emplace_back(ChunkBreak{});
            from = end;
        }
        add_text(text.substr(from));
    }

    void multiply_from(std::size_t start, double factor)
    {
        for (std::size_t i = start; i < parts_.size(); ++i) {
            if (auto* text = std::get_if<WeightedText>(&parts_[i])) {
                text->weight *= factor;
            }
        }
    }

    void close(std::vector<std::size_t>& open, double factor)
    {
        multiply_from(open.back(), factor);
        open.pop_back();
    }

    std::vector<PromptPart> joined() const
    {
        std::vector<PromptPart> result;
        for (const PromptPart& part : parts_) {
            const auto* text = std::get_if<WeightedText>(&part);
            auto* before = result.empty() ? nullptr : std::get_if<WeightedText>(&result.back());
            if (text != nullptr && before != nullptr && before->weight == text->weight) {
                before->text += text->text;
            } else if (text == nullptr || !text->text.empty()) {
                result.push_back(part);
            }
        }
        if (result.empty()) {
            result.emplace_back(WeightedText{});
        }
        return result;
    }

    std::vector<PromptPart> parts_;
    std::vector<std::size_t> round_; ///< the first part inside each open bracket
    std::vector<std::size_t> square_;
};

} // namespace

std::vector<PromptPart> parse_attention_syntax(std::string_view prompt)
{
    return Parser().parse(prompt);
}

} // namespace sdfleet::pipeline
