using System.Globalization;
using System.Text.RegularExpressions;
using GraphQL;

namespace Hami.Api.Asking;

/// <summary>An order of a list: by one value, and by the id where that is the same.</summary>
/// <param name="Name">The word clients ask for it with.</param>
/// <param name="Key">The value: a text, a <see cref="long"/> or a time; null when it is not known, which no time may be.</param>
/// <param name="Id">What no two rows have in common.</param>
/// <param name="Sql">The value as PostgreSQL computes it; null for lists in memory.</param>
internal sealed record Order<T>(string Name, Type Kind, Func<T, object?> Key, Func<T, string> Id, string? Sql = null)
{
    public bool Descending { get; init; }

    public string Label => Descending ? Name + "-" : Name;

    /// <summary>Stands for a value that is not known: behind all others in either direction.</summary>
    private object Unknown => (Kind == typeof(string), Descending) switch { (true, true) => "", (true, false) => "\uffff", (false, true) => -long.MaxValue, _ => long.MaxValue };

    /// <summary>The value as PostgreSQL sorts by it.</summary>
    public string? SqlKey => Kind == typeof(long) && MayBeUnknown ? string.Create(CultureInfo.InvariantCulture, $"coalesce({Sql}, {Unknown})") : Sql;

    private bool MayBeUnknown { get; init; }

    public Cursor CursorOf(T row) => new(Label, Key(row) ?? Unknown, Id(row));

    public static Order<T> Text(string name, Func<T, string> key, Func<T, string> id, string? sql = null) => new(name, typeof(string), key, id, sql);

    public static Order<T> Number(string name, Func<T, long> key, Func<T, string> id, string? sql = null) => new(name, typeof(long), r => key(r), id, sql);

    /// <summary>By a number that may not be known.</summary>
    public static Order<T> Known(string name, Func<T, long?> key, Func<T, string> id, string? sql = null) => new(name, typeof(long), r => key(r), id, sql) { MayBeUnknown = true };

    /// <summary>By a text that may not be known, of a list in memory; one that is known is not empty.</summary>
    public static Order<T> KnownText(string name, Func<T, string?> key, Func<T, string> id) => new(name, typeof(string), key, id);

    public static Order<T> Time(string name, Func<T, DateTimeOffset> key, Func<T, string> id, string? sql = null) => new(name, typeof(DateTimeOffset), r => key(r), id, sql);

    /// <summary>Where a row stands.</summary>
    public Place<T> PlaceOf(T row) => new(row, Key(row) ?? Unknown, Id);

    /// <summary>Compares places in the list.</summary>
    public int Compare(Place<T> a, Place<T> b)
    {
        var order = (a.Key, b.Key) switch
        {
            (string x, string y) => string.CompareOrdinal(x, y),
            (long x, long y) => x.CompareTo(y),
            (DateTimeOffset x, DateTimeOffset y) => x.CompareTo(y),
            _ => 0,
        };
        if (order == 0)
            order = string.CompareOrdinal(a.Id, b.Id);
        return Descending ? -order : order;
    }
}

/// <summary>Where a row of a list in memory stands; its id is made where another row has the same value.</summary>
/// <param name="row">The row; of a cursor it is not known.</param>
internal sealed class Place<T>(T row, object key, Func<T, string> id)
{
    public T Row => row;

    public object Key => key;

    public string Id => field ??= id(row);
}

/// <summary>Which page of a list is asked for.</summary>
internal sealed record Page<T>(int First, Cursor? After, Order<T> Order)
{
    /// <summary>The page that is asked for.</summary>
    /// <exception cref="ExecutionError">There is no such page.</exception>
    public static Page<T> Of(int first, string? after, Order<T> order) => first is < 1 or > Limits.LargestPage
        ? throw new ExecutionError($"first: {first} is not between 1 and {Limits.LargestPage}: ask for the next page with after.")
        : new(first, after is null ? null : Cursor.Decode(after, order.Label, order.Kind), order);

    /// <summary>The page of a list in memory: the first behind the cursor are picked out, the others are not sorted.</summary>
    public Connection<T> Of(IEnumerable<T> rows)
    {
        var after = After is null ? null : new Place<T>(default!, After.Key, _ => After.Id);
        var count = 0L;
        var best = new PriorityQueue<T, Place<T>>(First + 2, Comparer<Place<T>>.Create((a, b) => Order.Compare(b, a)));
        foreach (var row in rows)
        {
            count++;
            var place = Order.PlaceOf(row);
            if (after is not null && Order.Compare(place, after) <= 0)
                continue;
            if (best.Count <= First)
                best.Enqueue(row, place);
            else
                best.EnqueueDequeue(row, place);
        }
        var page = new (T, Cursor)[best.Count];
        while (best.TryDequeue(out var row, out var place))
            page[best.Count] = (row, new(Order.Label, place.Key, place.Id));
        return Cut(page, _ => Task.FromResult(count));
    }

    /// <summary>The page of rows that were read up to one more than it has.</summary>
    public Connection<T> Cut(IReadOnlyList<(T Row, Cursor Cursor)> rows, Func<CancellationToken, Task<long>> count) =>
        new([.. rows.Take(First).Select(r => new Edge<T>(r.Cursor.Encode(), r.Row))], rows.Count > First, count);
}

/// <summary>Parts of a whole, as numbers that can be sorted by.</summary>
internal static class Parts
{
    private const double Whole = 1_000_000;

    /// <summary>Millionths of the whole; null when either is not known, or there is none.</summary>
    public static long? Of(double? part, double? whole) => part is { } p && whole is > 0 and { } w ? (long)Math.Round(Whole * p / w) : null;
}

/// <summary>Texts that are sorted as people count.</summary>
internal static partial class Counted
{
    private const int LongestNumber = 10;

    /// <summary>A text with numbers, such as a version: 1.9 before 1.10. Null for one that says nothing.</summary>
    public static string? Of(string? text) => string.IsNullOrEmpty(text) ? null : Numbers().Replace(text, number => number.Value.PadLeft(LongestNumber, '0'));

    [GeneratedRegex("[0-9]+", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Numbers();
}
