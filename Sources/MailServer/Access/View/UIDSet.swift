import ShardFS

// Lists of numbers as ranges.

extension Array where Element == ClosedRange<UInt32> {
    /// Joins ascending numbers into ranges.
    package init(ascending numbers: some Sequence<UInt32>) {
        self = []
        for number in numbers { append(joining: number) }
    }

    /// Appends a number, joining it to the last range if it directly follows.
    package mutating func append(joining number: UInt32) {
        if let last, last.upperBound != .max, last.upperBound + 1 == number {
            self[count - 1] = last.lowerBound...number
        } else {
            append(number...number)
        }
    }

    /// Whether one of these ascending, disjoint ranges holds a number.
    package func covers(_ number: UInt32) -> Bool {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low].contains(number)
    }
}
