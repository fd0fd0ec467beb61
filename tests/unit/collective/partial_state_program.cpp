// SPDX-License-Identifier: Apache-2.0
// What partial_state_test runs: spawns its own ranks. Lines on stdout, one write each.
#include "collective/partial_state.hpp"
#include "collective/spawn.hpp"

#include <cstdlib>
#include <sstream>
#include <string>

#include <unistd.h>

using namespace sdfleet::collective;

namespace {

template <class... Words>
void say(const Words&... words)
{
    std::ostringstream line;
    (line << ... << words) << '\n';
    const std::string text = line.str();
    if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        std::_Exit(3);
    }
}

template <class T>
std::string listed(const std::vector<T>& items)
{
    std::ostringstream text;
    for (const auto& item : items) {
        text << '<' << item << '>';
    }
    return text.str();
}

int identity(PartialState state)
{
    say("process ", state.process_index(), "/", state.num_processes(), " local ", state.local_process_index(), " on ",
        state.device(), state.is_main_process() ? " main" : "", state.is_last_process() ? " last" : "",
        state.is_local_main_process() ? " local-main" : "");
    return 0;
}

int split(PartialState state)
{
    const std::vector<std::string> prompts{"a", "b", "c", "d", "e"};
    say(state.process_index(), ": ", listed(state.split_between_processes(prompts)), " ",
        listed(state.split_between_processes(prompts, apply_padding)));
    return 0;
}

int print(PartialState state)
{
    state.print("of", 3, "processes");
    state.on_main_process([&] { say("main ", state.process_index()); })();
    state.on_last_process([&](int number) { say("last ", state.process_index(), " ", number); })(42);
    const auto answer = state.on_process([] { return 7; }, 1)();
    say("answer of ", state.process_index(), " ", answer.value_or(-1));
    return 0;
}

int wait(PartialState state)
{
    for (const char* round : {"first", "second"}) {
        if (const auto waited = state.wait_for_everyone(); !waited) {
            say("error ", waited.error().message);
            return 1;
        }
        say(round);
    }
    return 0;
}

template <class T>
int gather(PartialState& state, const std::vector<T>& mine)
{
    const auto all = state.gather_object(mine);
    say(state.process_index(), ": ", all ? listed(*all) : "error " + all.error().message);
    return all ? 0 : 1;
}

/// Process p brings p texts.
int objects(PartialState state)
{
    std::vector<std::string> mine;
    for (std::uint32_t i = 0; i < state.process_index(); ++i) {
        mine.push_back("text " + std::to_string(state.process_index()) + "." + std::to_string(i));
    }
    const int texts = gather(state, mine);
    const int numbers = gather(state, std::vector<std::int64_t>{state.process_index() * 100L});
    state.destroy_process_group();
    return texts + numbers;
}

/// The last process brings numbers where the others bring texts. Each tells; none fails, so that all are heard.
int types(PartialState state)
{
    state.is_last_process() ? gather(state, std::vector<std::int32_t>{1})
                            : gather(state, std::vector<std::string>{"x"});
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    const std::string mode = argc > 1 ? argv[1] : "";
    const auto nprocs = static_cast<std::uint32_t>(argc > 2 ? std::atoi(argv[2]) : 0);
    const auto function = [&](std::uint32_t) {
        auto state = PartialState::from_environment();
        if (!state) {
            say("error ", state.error().message);
            return 1;
        }
        return mode == "identity"  ? identity(*state)
               : mode == "split"   ? split(*state)
               : mode == "print"   ? print(*state)
               : mode == "wait"    ? wait(*state)
               : mode == "objects" ? objects(*state)
               : mode == "types"   ? types(*state)
                                   : 2;
    };
    if (nprocs == 0) {
        return function(0);
    }
    const auto ended = spawn(function, nprocs);
    if (!ended) {
        say("error ", ended.error().message);
    }
    return ended ? 0 : 1;
}
