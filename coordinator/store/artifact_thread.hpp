// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "coordinator/store/artifact_folder.hpp"
#include "coordinator/store/bounded_queue.hpp"
#include "coordinator/store/content_reader.hpp"

#include <cstddef>
#include <functional>
#include <thread>
#include <variant>

namespace sdfleet::coordinator {

/// Hashes, writes and reads large artifacts on a thread of its own, and reads the small ones.
class ArtifactThread {
public:
    using Task = std::variant<SaveArtifact, LoadArtifact, RemoveArtifact>;

    /// `on_event` is called on the thread, once for each save and load.
    ArtifactThread(ArtifactFolder folder, ContentReader contents, std::function<void(Event)> on_event);

    /// Finishes what is queued, then ends.
    ~ArtifactThread();

    /// Does not wait. When the queue is full a save or load fails.
    void push(Task task);

    void stop();

    static constexpr std::size_t capacity = 16'384;

private:
    void run();
    void perform(const SaveArtifact& task);
    void perform(const LoadArtifact& task);
    void perform(const RemoveArtifact& task);

    base::Result<proto::Blob> load(const std::string& sha256);

    ArtifactFolder folder_;
    ContentReader contents_;
    std::function<void(Event)> on_event_;
    BoundedQueue<Task> queue_{capacity};
    std::thread thread_;
};

} // namespace sdfleet::coordinator
