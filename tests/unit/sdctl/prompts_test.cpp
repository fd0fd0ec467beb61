// SPDX-License-Identifier: Apache-2.0
#include "sdctl/prompts.hpp"

#include "tests/catch.hpp"

#include <filesystem>

namespace sdctl = sdfleet::sdctl;
using sdctl::RankedPrompt;
using sdfleet::base::ExitCode;

namespace {

std::vector<std::string> texts_of(const std::string& content)
{
    const auto prompts = sdctl::parse_prompts(content, "p.txt").value();
    std::vector<std::string> texts;
    for (const auto& prompt : prompts) {
        texts.push_back(prompt.text);
    }
    return texts;
}

void check_fault(const std::string& content, const std::string& place)
{
    const auto prompts = sdctl::parse_prompts(content, "p.txt");
    REQUIRE_FALSE(prompts);
    CHECK(prompts.error().code == ExitCode::usage);
    CHECK(prompts.error().message.find(place + ": ") == 0);
}

} // namespace

TEST_CASE("Each line of a prompts file is a prompt")
{
    CHECK(texts_of("a dog\na cat") == std::vector<std::string>{"a dog", "a cat"});
    CHECK(texts_of("a dog\r\na cat\r\n") == std::vector<std::string>{"a dog", "a cat"});
    CHECK(texts_of("\n  \na dog\n\n\t\n") == std::vector<std::string>{"a dog"});
    CHECK(texts_of("# not a comment\n") == std::vector<std::string>{"# not a comment"});
    CHECK(texts_of("\xEF\xBB\xBF"
                   "a dog\n") == std::vector<std::string>{"a dog"});
    CHECK(texts_of("gr\xC3\xBCn \xE7\x8C\xAB\n") == std::vector<std::string>{"gr\xC3\xBCn \xE7\x8C\xAB"});
    CHECK(texts_of(std::string(10'000, 'x')).size() == 1);
}

TEST_CASE("A prompt knows the line it came from")
{
    const auto prompts = sdctl::parse_prompts("\n\na dog\n", "p.txt").value();

    CHECK(prompts.at(0).place == "p.txt:3");
}

TEST_CASE("A bad prompts file is a usage error that names the line")
{
    check_fault("", "p.txt");
    check_fault(" \n\r\n", "p.txt");
    check_fault("a dog\ncaf\xE9\n", "p.txt:2");
    check_fault("a\n\n" + std::string(10'001, 'x') + "\nb\n", "p.txt:3");
    check_fault(std::string("a\0b\n", 4), "p.txt:1");
}

TEST_CASE("A prompts file that is missing or a folder is a usage error that names it")
{
    for (const char* path : {"/nowhere/prompts.txt", "/"}) {
        const auto prompts = sdctl::read_prompts(path);

        REQUIRE_FALSE(prompts);
        CHECK(prompts.error().code == ExitCode::usage);
        CHECK(prompts.error().message.find(path) != std::string::npos);
    }
}

TEST_CASE("Prompts of the command line follow the same rules")
{
    CHECK(sdctl::check_prompts({"a", "b"}).value().size() == 2);
    CHECK(sdctl::check_prompts({"a", "caf\xE9"}).error().message.find("--prompt 2: ") == 0);
    CHECK(sdctl::check_prompts({""}).error().code == ExitCode::usage);
}

TEST_CASE("A rank stands before the prompt")
{
    const auto rank_of = [](const std::string& text) { return sdctl::take_rank({text, "p.txt:4"}); };

    CHECK(rank_of("0: a dog").value() == RankedPrompt{0, "a dog"});
    CHECK(rank_of(" 12:a dog: brown").value() == RankedPrompt{12, "a dog: brown"});
    for (const char* wrong : {"a dog", "0 a dog", ": a dog", "-1: a dog", "0:", "0:  ", "99999999999: a", "1.5: a"}) {
        INFO(wrong);
        const auto ranked = rank_of(wrong);
        REQUIRE_FALSE(ranked);
        CHECK(ranked.error().code == ExitCode::usage);
        CHECK(ranked.error().message.find("p.txt:4: ") == 0);
    }
}
