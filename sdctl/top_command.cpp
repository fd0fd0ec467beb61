// SPDX-License-Identifier: Apache-2.0
#include "sdctl/commands.hpp"
#include "sdctl/fleet_view.hpp"
#include "sdctl/interrupt.hpp"
#include "sdctl/node_view.hpp"
#include "sdctl/text_table.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <sstream>
#include <thread>

#include <sys/ioctl.h>
#include <unistd.h>

namespace sdfleet::sdctl {

namespace {

using namespace std::chrono_literals;

struct TopOptions {
    bool is_once = false;
    double interval_s = 1;
};

struct Size {
    std::size_t columns = 80;
    std::size_t rows = 24;
};

Size terminal_size()
{
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
        return {};
    }
    return {size.ws_col, size.ws_row};
}

/// The fleet's lines and then its nodes', on a screen of its own on a terminal; one after the other elsewhere.
class Screen {
public:
    explicit Screen(bool is_live) : is_live_(is_live)
    {
        if (is_live_) {
            print_text("\x1b[?1049h\x1b[?25l");
        }
    }
    ~Screen()
    {
        if (is_live_) {
            print_text("\x1b[?25h\x1b[?1049l");
        }
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    void show(const std::string& text) const
    {
        if (!is_live_) {
            print_text(text);
            return;
        }
        const auto size = terminal_size();
        std::string frame = "\x1b[H";
        std::istringstream lines(text);
        std::string line;
        for (std::size_t row = 0; row + 1 < size.rows && std::getline(lines, line); ++row) {
            frame += fit(line, size.columns) + "\x1b[K\n";
        }
        print_text(frame + "\x1b[J");
    }

private:
    bool is_live_;
};

/// False when the user interrupted.
bool wait(double seconds)
{
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (!is_interrupted() && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(20ms);
    }
    return !is_interrupted();
}

std::string text_of(const proto::Status& status, const std::optional<FleetRates>& rates, const proto::NodeList& list)
{
    std::string text;
    for (const auto& line : fleet_lines(status, rates)) {
        text += line + "\n";
    }
    std::vector<NodeView> nodes;
    for (const auto& node : list.nodes) {
        nodes.push_back(view_of(node));
    }
    return text + "\n" + nodes_text(nodes);
}

base::Result<base::ExitCode> top(const Program& program, const TopOptions& options)
{
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    auto before = client->status({0});
    if (!before) {
        return tl::unexpected(before.error());
    }
    const Screen screen(!program.json && !options.is_once && ::isatty(STDOUT_FILENO) == 1);
    while (wait(options.interval_s)) {
        auto status = client->status({});
        const auto nodes = client->list_nodes({});
        if (!status || !nodes) {
            return tl::unexpected(!status ? status.error() : nodes.error());
        }
        const auto rates = rates_between(*before, *status);
        if (program.json) {
            print_json_line(to_json(*status, rates));
        } else {
            screen.show(text_of(*status, rates, *nodes));
        }
        if (options.is_once) {
            return base::ExitCode::ok;
        }
        before = std::move(status);
    }
    return base::ExitCode::interrupted;
}

} // namespace

void add_top_command(CLI::App& app, Program& program)
{
    const auto options = std::make_shared<TopOptions>();
    auto* command = add_command(app, program,
                                {"top", "Watch the fleet: nodes, actors, the queue, its pace and recent faults",
                                 "  sdctl top\n"
                                 "  sdctl top --once --json | jq .items.queued\n"},
                                [options, &program] { return top(program, *options); });
    command->add_flag("--once", options->is_once, "One look, then end");
    command->add_option("--interval", options->interval_s, "Seconds between two looks")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
}

} // namespace sdfleet::sdctl
