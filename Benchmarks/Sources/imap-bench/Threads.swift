import Glibc

/// Runs closures on one POSIX thread each, which is enough for a blocking client.
enum Threads {
    private final class Job {
        let work: () throws -> Int
        var done = 0
        var error: (any Error)?

        init(_ work: @escaping () throws -> Int) { self.work = work }
    }

    /// Runs the closures, waits for all of them and returns the sum of their results. They must not share state.
    static func run(_ work: [() throws -> Int]) throws -> Int {
        let jobs = work.map(Job.init)
        var threads: [pthread_t] = []
        for job in jobs {
            var thread = pthread_t()
            let status = pthread_create(
                &thread, nil,
                { argument in
                    let job = Unmanaged<Job>.fromOpaque(argument!).takeRetainedValue()
                    do { job.done = try job.work() } catch { job.error = error }
                    return nil
                }, Unmanaged.passRetained(job).toOpaque())
            guard status == 0 else { throw Failure(description: "pthread_create: \(status)") }
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }
        for job in jobs { if let error = job.error { throw error } }
        return jobs.reduce(0) { $0 + $1.done }
    }
}
