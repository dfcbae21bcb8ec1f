import Glibc

/// fsync of one descriptor on behalf of all who ask: one at a time, and each covers everybody who asked before it began.
///
/// The kernel tells a failed write-back once per descriptor. Apart, one caller would learn of it and the next would be
/// told that all is well; here a failure is everybody's, and for good.
final class SharedSync: @unchecked Sendable {
    // Proof for @unchecked: the variables are reached only between lock and unlock of `mutex`; mutex and conditions live
    // at fixed addresses for as long as this object does.
    /// The round that runs or ran last; who asks meanwhile is served by the next.
    private var round: UInt64 = 0
    private var covered: UInt64 = 0
    private var isRunning = false
    private var failure: Errno?
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    /// For rounds of even and of odd number: those whose round has ended are woken together, of the others one.
    private let conditions: UnsafeMutablePointer<pthread_cond_t>

    init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        conditions = .allocate(capacity: 2)
        conditions.initialize(repeating: pthread_cond_t(), count: 2)
        for i in 0..<2 { pthread_cond_init(conditions + i, nil) }
    }

    deinit {
        for i in 0..<2 { pthread_cond_destroy(conditions + i) }
        conditions.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Returns when an fsync that began after this call has succeeded.
    func sync(_ system: System, _ descriptor: Int32) throws(Errno) {
        pthread_mutex_lock(mutex)
        let mine = round + 1
        while failure == nil, covered < mine {
            if isRunning {
                pthread_cond_wait(conditions + Int(mine % 2), mutex)
                continue
            }
            isRunning = true
            round = mine
            pthread_mutex_unlock(mutex)
            let result: Result<Void, Errno>
            do throws(Errno) { result = .success(try system.sync(descriptor)) } catch { result = .failure(error) }
            pthread_mutex_lock(mutex)
            isRunning = false
            pthread_cond_broadcast(conditions + Int(mine % 2))
            switch result {
            case .success:
                covered = mine
                pthread_cond_signal(conditions + Int((mine + 1) % 2))
            case .failure(let error):
                failure = error
                pthread_cond_broadcast(conditions + Int((mine + 1) % 2))
            }
        }
        let failed = covered < mine ? failure : nil
        pthread_mutex_unlock(mutex)
        if let failed { throw failed }
    }
}
