import Glibc

/// fsync of one descriptor on behalf of all who ask: one at a time, and each covers everybody who asked before it began.
///
/// The kernel tells a failed write-back once per descriptor. Apart, one caller would learn of it and the next would be
/// told that all is well; here a failure is everybody's, and for good.
final class SharedSync: @unchecked Sendable {
    // Proof for @unchecked: the variables are reached only between lock and unlock of `mutex`; mutex and condition live
    // at fixed addresses for as long as this object does.
    private var requested: UInt64 = 0
    private var covered: UInt64 = 0
    private var isRunning = false
    private var failure: Errno?
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Returns when an fsync that began after this call has succeeded.
    func sync(_ system: System, _ descriptor: Int32) throws(Errno) {
        pthread_mutex_lock(mutex)
        requested += 1
        let mine = requested
        while failure == nil, covered < mine {
            if isRunning {
                pthread_cond_wait(condition, mutex)
                continue
            }
            isRunning = true
            let covers = requested
            pthread_mutex_unlock(mutex)
            let result: Result<Void, Errno>
            do throws(Errno) { result = .success(try system.sync(descriptor)) } catch { result = .failure(error) }
            pthread_mutex_lock(mutex)
            isRunning = false
            switch result {
            case .success: covered = max(covered, covers)
            case .failure(let error): failure = error
            }
            pthread_cond_broadcast(condition)
        }
        let failed = covered < mine ? failure : nil
        pthread_mutex_unlock(mutex)
        if let failed { throw failed }
    }
}
