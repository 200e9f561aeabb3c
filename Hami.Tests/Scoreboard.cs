using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Hami.Tests;

/// <summary><c>docs/scoreboard.md</c> claims only what a test shows.</summary>
public sealed partial class Scoreboard
{
    private const string Works = "works";

    // Every test, as class.method, with the rows it says it shows.
    private static readonly ILookup<string, string> RowsByTest = typeof(Scoreboard).Assembly.GetTypes()
        .Where(type => type.IsPublic)
        .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly))
        .Where(method => method.GetCustomAttributes().Any(a => a is FactAttribute))
        .SelectMany(method => Traits(method).DefaultIfEmpty(), (method, row) => (Test: $"{method.DeclaringType!.Name}.{method.Name}", Row: row ?? ""))
        .ToLookup(t => t.Test, t => t.Row, StringComparer.Ordinal);

    public static TheoryData<string> Rows => [.. Read().Select(r => r.Id)];

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_row_that_works_names_tests_that_show_it(string id)
    {
        var row = Read().Single(r => r.Id == id);

        Assert.Matches("^(works|waits for .+|not ours: .+)$", row.Status);
        Assert.True(row.Status != Works || row.Tests.Count > 0, $"{id} is said to work, but no test is named.");
        Assert.All(row.Tests, test => Assert.True(RowsByTest.Contains(test), $"{id} names {test}, which is no test."));
        Assert.All(row.Tests, test => Assert.True(RowsByTest[test].Contains(id), $"{test} is named for {id}, but has no [Trait(\"Scoreboard\", \"{id}\")]."));
    }

    [Fact]
    public void Every_row_stands_there_once_in_its_order()
    {
        string[] expected =
        [
            .. Group('A', 1, 25), .. Group('B', 1, 11), .. Group('C', 1, 18), .. Group('E', 1, 12), .. Group('G', 1, 7), .. Group('H', 1, 15),
            .. Group('I', 1, 3), .. Group('I', 8, 8),
        ];

        Assert.Equal(expected, Read().Select(r => r.Id));

        static IEnumerable<string> Group(char group, int first, int last) => Enumerable.Range(first, last - first + 1).Select(n => $"{group}{n:00}");
    }

    private static IEnumerable<string> Traits(MethodInfo method) => method.GetCustomAttributesData()
        .Where(a => a.AttributeType == typeof(TraitAttribute) && a.ConstructorArguments is [{ Value: "Scoreboard" }, _])
        .Select(a => (string)a.ConstructorArguments[1].Value!);

    private static List<(string Id, string Status, List<string> Tests)> Read() =>
    [
        .. File.ReadLines(Path.Combine(Root(), "docs", "scoreboard.md"))
            .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
            .Where(cells => cells.Length == 6 && RowId().IsMatch(cells[1]))
            .Select(cells => (cells[1], cells[3], Quoted().Matches(cells[4]).Select(m => m.Groups["quoted"].Value).ToList())),
    ];

    private static string Root([CallerFilePath] string here = "") => Path.GetDirectoryName(Path.GetDirectoryName(here))!;

    [GeneratedRegex("^[A-Z][0-9]{2}$", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex RowId();

    [GeneratedRegex("`(?<quoted>[^`]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Quoted();
}
