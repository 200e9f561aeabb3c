using CsCheck;
using GraphQL;
using Hami.Api.Asking;

namespace Hami.Tests.Asking;

/// <summary>Pages are cut by what rows are, not by where they stand, so that a list that changes loses and repeats nothing that stays.</summary>
public sealed class PagingThroughAList
{
    private sealed record Row(string Id, long Size);

    private static readonly Order<Row> BySize = Order<Row>.Number("size", r => r.Size, r => r.Id);

    private static readonly Gen<List<Row>> AnyRows =
        Gen.Select(Gen.Int[0, 60], Gen.Long[-3, 3]).List[0, 40].Select(rows => rows.DistinctBy(r => r.Item1).Select(r => new Row($"r{r.Item1}", r.Item2)).ToList());

    [Fact]
    public void All_pages_together_are_the_list_in_its_order() =>
        Gen.Select(AnyRows, Gen.Int[1, 7], Gen.Bool).Sample((rows, size, descending) =>
        {
            var order = BySize with { Descending = descending };
            var expected = descending
                ? rows.OrderByDescending(r => r.Size).ThenByDescending(r => r.Id, StringComparer.Ordinal)
                : rows.OrderBy(r => r.Size).ThenBy(r => r.Id, StringComparer.Ordinal);
            return Walk(order, size, _ => rows).SequenceEqual(expected);
        });

    [Fact]
    public void Rows_that_stay_are_seen_once_while_others_come_and_go() =>
        Gen.Select(AnyRows, AnyRows, Gen.Int[1, 5]).Sample((staying, passing, size) =>
        {
            var others = passing.Where(p => staying.TrueForAll(s => s.Id != p.Id)).ToList();
            var seen = Walk(BySize, size, page => page % 2 == 0 ? staying : [.. staying, .. others]);
            return seen.Where(staying.Contains).Order(Comparer<Row>.Create((a, b) => string.CompareOrdinal(a.Id, b.Id)))
                .SequenceEqual(staying.OrderBy(r => r.Id, StringComparer.Ordinal));
        });

    [Fact]
    public void What_is_not_known_comes_last_in_either_direction() =>
        Gen.Select(AnyRows, Gen.Int[1, 7], Gen.Bool).Sample((rows, size, descending) =>
        {
            var order = Order<Row>.Known("size", r => r.Size == 0 ? null : r.Size, r => r.Id) with { Descending = descending };
            return Walk(order, size, _ => rows).SequenceEqual(WithoutSizeLast(rows, descending));
        });

    [Fact]
    public void A_text_that_is_not_known_comes_last_in_either_direction() =>
        Gen.Select(AnyRows, Gen.Int[1, 7], Gen.Bool).Sample((rows, size, descending) =>
        {
            var order = Order<Row>.KnownText("name", r => r.Size == 0 ? null : $"{(char)('e' + r.Size)}", r => r.Id) with { Descending = descending };
            return Walk(order, size, _ => rows).SequenceEqual(WithoutSizeLast(rows, descending));
        });

    [Theory]
    [InlineData("5.4.0-91-generic", "5.15.0-9-generic")]
    [InlineData("v1.9.11", "v1.36.0")]
    [InlineData("containerd://1.7.9", "containerd://1.7.28")]
    public void Versions_stand_in_the_order_in_which_people_count(string earlier, string later) =>
        Assert.True(string.CompareOrdinal(Counted.Of(earlier), Counted.Of(later)) < 0);

    [Fact]
    public async Task The_count_is_that_of_all_rows_wherever_the_page_is()
    {
        List<Row> rows = [.. Enumerable.Range(0, 9).Select(i => new Row($"r{i}", i % 2))];
        var page = Page<Row>.Of(3, Page<Row>.Of(4, null, BySize).Of(rows).PageInfo.EndCursor, BySize).Of(rows);

        Assert.Equal((9, true, 3), (await page.TotalCount(CancellationToken.None), page.PageInfo.HasNextPage, page.Items.Count));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(501)]
    public void A_page_has_at_least_one_row_and_at_most_500(int first) =>
        Assert.Contains("between 1 and 500", Assert.Throws<ExecutionError>(() => Page<Row>.Of(first, null, BySize)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("WyJzaXplIiwibjEiXQ")]
    [InlineData("' or 1=1 --")]
    public void A_cursor_that_is_none_is_refused_with_a_sentence(string cursor) =>
        Assert.Contains("none that this list gives", Assert.Throws<ExecutionError>(() => Page<Row>.Of(1, cursor, BySize)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_cursor_counts_in_its_own_order_only()
    {
        var cursor = BySize.CursorOf(new("a", 1)).Encode();

        Assert.Contains("another order", Assert.Throws<ExecutionError>(() => Page<Row>.Of(1, cursor, BySize with { Descending = true })).Message, StringComparison.Ordinal);
        Assert.Contains("none that this list gives", Assert.Throws<ExecutionError>(() => Page<Row>.Of(1, cursor, Order<Row>.Text("size", r => r.Id, r => r.Id))).Message, StringComparison.Ordinal);
    }

    private static IEnumerable<Row> WithoutSizeLast(List<Row> rows, bool descending)
    {
        var known = rows.Where(r => r.Size != 0);
        return descending
            ? known.OrderByDescending(r => r.Size).ThenByDescending(r => r.Id, StringComparer.Ordinal).Concat(rows.Where(r => r.Size == 0).OrderByDescending(r => r.Id, StringComparer.Ordinal))
            : known.OrderBy(r => r.Size).ThenBy(r => r.Id, StringComparer.Ordinal).Concat(rows.Where(r => r.Size == 0).OrderBy(r => r.Id, StringComparer.Ordinal));
    }

    private static List<Row> Walk(Order<Row> order, int size, Func<int, List<Row>> rows)
    {
        var seen = new List<Row>();
        string? after = null;
        for (var page = 0; ; page++)
        {
            var got = Page<Row>.Of(size, after, order).Of(rows(page));
            seen.AddRange(got.Items);
            if (!got.PageInfo.HasNextPage)
                return seen;
            after = got.PageInfo.EndCursor;
        }
    }
}
