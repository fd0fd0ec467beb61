// SPDX-License-Identifier: Apache-2.0
// The floor under our dispatch: a bare relay over two hops with the processes and sockets that the fleet has (a ROUTER on
// TCP, a DEALER dialling it, a ROUTER on an ipc:// socket, N DEALERs dialling that), and nothing else: no msgpack, no
// state, no disk. An item is one message down and one up on each hop.
//
//   relay --actors 8 --in-flight 2 --items 100000 [--down-bytes 240] [--up-bytes 240] [--result-bytes 16]
//
// Prints one line of JSON.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.hpp>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::uint32_t actors = 1;
    std::uint32_t in_flight = 1; ///< of each actor
    std::uint32_t items = 20'000;
    std::uint32_t down_bytes = 240; ///< an Assign of an echo item
    std::uint32_t up_bytes = 240;   ///< its ItemDone
    std::uint32_t result_bytes = 16;
};

/// In front of every payload.
struct Header {
    std::uint32_t actor = 0;
    std::uint32_t item = 0;
};

Header header_of(const zmq::message_t& message)
{
    Header header;
    std::memcpy(&header, message.data(), sizeof header);
    return header;
}

zmq::message_t payload(Header header, std::uint32_t bytes)
{
    zmq::message_t message(std::max<std::size_t>(bytes, sizeof header));
    std::memset(message.data(), 'x', message.size());
    std::memcpy(message.data(), &header, sizeof header);
    return message;
}

std::string actor_name(std::uint32_t actor)
{
    std::string name("A....");
    std::memcpy(name.data() + 1, &actor, sizeof actor);
    return name;
}

/// Runs `body` in a new process that ends with this one.
template <class Body>
pid_t start(Body body)
{
    const pid_t pid = ::fork();
    if (pid != 0) {
        return pid;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    std::_Exit(0);
}

void run_actor(const Options& options, const std::string& endpoint, std::uint32_t actor)
{
    zmq::context_t context(1);
    zmq::socket_t socket(context, zmq::socket_type::dealer);
    socket.set(zmq::sockopt::routing_id, actor_name(actor));
    socket.connect(endpoint);
    socket.send(payload({actor, 0}, 0), zmq::send_flags::none); // "here I am"
    for (;;) {
        zmq::message_t task;
        (void)socket.recv(task);
        socket.send(payload(header_of(task), options.up_bytes), zmq::send_flags::sndmore);
        socket.send(payload({}, options.result_bytes), zmq::send_flags::none);
    }
}

/// Passes on one message with all its frames but the first `skipped`.
void pass_on(zmq::socket_t& from, zmq::socket_t& to, int skipped)
{
    for (bool more = true; more;) {
        zmq::message_t frame;
        (void)from.recv(frame);
        more = frame.more();
        if (skipped-- <= 0) {
            to.send(frame, more ? zmq::send_flags::sndmore : zmq::send_flags::none);
        }
    }
}

void run_agent(const Options& options, const std::string& endpoint, const std::string& folder)
{
    const std::string actors_endpoint = "ipc://" + folder + "/actors.sock";
    zmq::context_t context(1);
    zmq::socket_t actors(context, zmq::socket_type::router);
    actors.bind(actors_endpoint);
    for (std::uint32_t actor = 0; actor < options.actors; ++actor) {
        start([&] { run_actor(options, actors_endpoint, actor); });
    }
    zmq::socket_t coordinator(context, zmq::socket_type::dealer);
    coordinator.set(zmq::sockopt::routing_id, std::string("agent"));
    coordinator.connect(endpoint);
    constexpr int batch = 64; // as many as our own loop takes before it looks at its other sockets
    for (;;) {
        std::vector<zmq::pollitem_t> sockets{{actors.handle(), 0, ZMQ_POLLIN, 0},
                                             {coordinator.handle(), 0, ZMQ_POLLIN, 0}};
        zmq::poll(sockets, std::chrono::milliseconds(-1));
        for (int i = 0; i < batch && (actors.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0; ++i) {
            pass_on(actors, coordinator, 1);
        }
        for (int i = 0; i < batch && (coordinator.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0; ++i) {
            zmq::message_t task;
            (void)coordinator.recv(task);
            actors.send(zmq::buffer(actor_name(header_of(task).actor)), zmq::send_flags::sndmore);
            actors.send(task, zmq::send_flags::none);
        }
    }
}

struct Outcome {
    double seconds = 0;
    std::vector<double> round_trips_us; ///< sorted
};

class Coordinator {
public:
    Coordinator(const Options& options, zmq::socket_t& socket)
        : options_(options), socket_(socket), sent_at_(options.items)
    {
    }

    Outcome run()
    {
        for (std::uint32_t ready = 0; ready < options_.actors; ++ready) {
            (void)receive();
        }
        Outcome outcome;
        outcome.round_trips_us.reserve(options_.items);
        const auto begin = Clock::now();
        for (std::uint32_t i = 0; i < options_.in_flight; ++i) {
            for (std::uint32_t actor = 0; actor < options_.actors; ++actor) {
                send_next(actor);
            }
        }
        for (std::uint32_t done = 0; done < options_.items; ++done) {
            const auto header = receive();
            const std::chrono::duration<double, std::micro> taken = Clock::now() - sent_at_[header.item];
            outcome.round_trips_us.push_back(taken.count());
            send_next(header.actor);
        }
        outcome.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        std::ranges::sort(outcome.round_trips_us);
        return outcome;
    }

private:
    Header receive()
    {
        zmq::message_t frame;
        (void)socket_.recv(frame); // the agent's name
        (void)socket_.recv(frame);
        const auto header = header_of(frame);
        while (frame.more()) {
            (void)socket_.recv(frame);
        }
        return header;
    }

    void send_next(std::uint32_t actor)
    {
        if (next_ == options_.items) {
            return;
        }
        sent_at_[next_] = Clock::now();
        socket_.send(zmq::str_buffer("agent"), zmq::send_flags::sndmore);
        socket_.send(payload({actor, next_++}, options_.down_bytes), zmq::send_flags::none);
    }

    const Options& options_;
    zmq::socket_t& socket_;
    std::vector<Clock::time_point> sent_at_;
    std::uint32_t next_ = 0;
};

bool read(Options& options, const std::string_view name, const std::string_view value)
{
    struct Entry {
        std::string_view name;
        std::uint32_t* value;
    };
    for (const auto& entry : {Entry{"--actors", &options.actors},
                              {"--in-flight", &options.in_flight},
                              {"--items", &options.items},
                              {"--down-bytes", &options.down_bytes},
                              {"--up-bytes", &options.up_bytes},
                              {"--result-bytes", &options.result_bytes}}) {
        if (entry.name == name) {
            const auto end = value.data() + value.size();
            const auto parsed = std::from_chars(value.data(), end, *entry.value);
            return parsed.ec == std::errc() && parsed.ptr == end && (*entry.value > 0 || name.ends_with("-bytes"));
        }
    }
    return false;
}

} // namespace

int main(int argc, char** argv)
{
    Options options;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !read(options, argv[i], argv[i + 1])) {
            std::fprintf(stderr,
                         "usage: relay [--actors N] [--in-flight N] [--items N] [--down-bytes N] [--up-bytes N] "
                         "[--result-bytes N]\n");
            return 2;
        }
    }
    std::string folder = "/tmp/relay-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) {
        std::perror("relay: no temporary folder");
        return 1;
    }
    // The agent is forked before this process has a context: ZeroMQ's threads do not survive a fork. So it learns the port
    // from a pipe.
    int ends[2];
    if (::pipe(ends) != 0) {
        std::perror("relay: no pipe");
        return 1;
    }
    const pid_t agent = start([&] {
        std::string endpoint(256, '\0');
        const auto length = ::read(ends[0], endpoint.data(), endpoint.size());
        endpoint.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
        run_agent(options, endpoint, folder);
    });
    zmq::context_t context(1);
    zmq::socket_t socket(context, zmq::socket_type::router);
    socket.bind("tcp://127.0.0.1:*");
    const auto endpoint = socket.get(zmq::sockopt::last_endpoint);
    if (::write(ends[1], endpoint.data(), endpoint.size()) != static_cast<ssize_t>(endpoint.size())) {
        return 1;
    }
    const auto outcome = Coordinator(options, socket).run();
    ::kill(agent, SIGKILL); // its actors end with it
    ::waitpid(agent, nullptr, 0);
    ::unlink((folder + "/actors.sock").c_str());
    ::rmdir(folder.c_str());
    const auto quantile = [&](double q) {
        return outcome.round_trips_us[static_cast<std::size_t>(q * static_cast<double>(options.items - 1))];
    };
    std::printf(
        "{\"actors\": %u, \"in_flight\": %u, \"items\": %u, \"per_s\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
        options.actors, options.in_flight, options.items, options.items / outcome.seconds, quantile(0.5),
        quantile(0.99));
    return 0;
}
