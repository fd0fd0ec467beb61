// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/recorded_work.hpp"

#include <memory>
#include <utility>

namespace sdfleet::test {

/// A recorder for the CPU: it keeps the work and runs it again. So a test sees whether inputs stay where they are and whether
/// it is not called again for what is recorded already.
struct ReplayingRecorder {
    int recordings = 0;
    int replays = 0;

    pipeline::Recorder recorder()
    {
        return [this](const std::function<void()>& work) {
            ++recordings;
            return std::make_unique<Work>(work, replays);
        };
    }

private:
    class Work final : public pipeline::RecordedWork {
    public:
        Work(std::function<void()> work, int& replays) : work_(std::move(work)), replays_(&replays) { work_(); }
        void replay() override
        {
            ++*replays_;
            work_();
        }

    private:
        std::function<void()> work_;
        int* replays_;
    };
};

} // namespace sdfleet::test
