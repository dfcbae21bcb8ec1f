extension RandomAccessCollection {
    /// The index of the first element for which `isBehind` is true, or the end. The elements are ordered so that it is
    /// false for all before that one and true for all behind it; found in logarithmic time.
    package func partitioningIndex(where isBehind: (Element) -> Bool) -> Index {
        var (low, count) = (startIndex, count)
        while count > 0 {
            let half = count / 2
            let middle = index(low, offsetBy: half)
            if isBehind(self[middle]) {
                count = half
            } else {
                low = index(after: middle)
                count -= half + 1
            }
        }
        return low
    }
}
