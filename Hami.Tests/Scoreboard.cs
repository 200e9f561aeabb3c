using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Hami.Tests;

/// <summary><c>docs/scoreboard.md</c> and the tables of cases claim only what a test shows.</summary>
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

    // The interceptor's, each a sentence in C; their rows are said in the tables alone.
    private static readonly HashSet<string> InterceptorTests = new(
        Directory.EnumerateFiles(Path.Combine(Root(), "Hami.Interceptor", "tests"), "test_*.c")
            .SelectMany(file => InterceptorTest().Matches(File.ReadAllText(file)))
            .Select(test => test.Groups["name"].Value),
        StringComparer.Ordinal);

    public static TheoryData<string> Rows => [.. Read("scoreboard.md").Select(r => r.Id)];

    public static TheoryData<string> NodeCases => [.. Read("node-cases.md").Select(r => r.Id)];

    public static TheoryData<string> Cases => [.. Read("interceptor-cases.md").Select(r => r.Id)];

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_row_that_works_names_tests_that_show_it(string id)
    {
        var row = Read("scoreboard.md").Single(r => r.Id == id);

        Assert.Matches("^(works|waits for .+|not ours: .+)$", row.Status);
        Assert.True(row.Status != Works || row.Tests.Count > 0, $"{id} is said to work, but no test is named.");
        Assert.All(row.Tests, test => Assert.True(RowsByTest.Contains(test) || InterceptorTests.Contains(test), $"{id} names {test}, which is no test."));
        Assert.All(
            row.Tests.Where(test => !InterceptorTests.Contains(test)),
            test => Assert.True(RowsByTest[test].Contains(id), $"{test} is named for {id}, but has no [Trait(\"Scoreboard\", \"{id}\")]."));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_case_of_the_interceptor_names_tests_that_show_it(string id)
    {
        var row = Read("interceptor-cases.md").Single(r => r.Id == id);

        Assert.Matches("^(kept|ours instead|measured)$", row.Status);
        Assert.True(row.Tests.Count > 0, $"Nothing is named for {id}.");
        Assert.All(row.Tests, test => Assert.True(InterceptorTests.Contains(test) || test.StartsWith("./hami ", StringComparison.Ordinal), $"{id} names {test}, which is no test."));
    }

    [Theory]
    [MemberData(nameof(NodeCases))]
    public void A_case_of_the_node_agent_names_tests_that_show_it(string id)
    {
        var row = Read("node-cases.md").Single(r => r.Id == id);

        Assert.Matches("^(kept|ours instead)$", row.Status);
        Assert.True(row.Tests.Count > 0, $"Nothing is named for {id}.");
        Assert.All(row.Tests, test => Assert.True(RowsByTest.Contains(test), $"{id} names {test}, which is no test."));
    }

    [Fact]
    public void Every_case_of_the_node_agent_stands_there_once_in_its_order() =>
        Assert.Equal(Enumerable.Range(1, 52).Select(n => $"K{n:00}"), Read("node-cases.md").Select(r => r.Id));

    [Fact]
    public void Every_case_of_the_interceptor_stands_there_once_in_its_order() =>
        Assert.Equal(Enumerable.Range(1, 56).Select(n => $"N{n:00}"), Read("interceptor-cases.md").Select(r => r.Id));

    [Fact]
    public void Every_row_stands_there_once_in_its_order()
    {
        string[] expected =
        [
            .. Group('A', 1, 25), .. Group('B', 1, 11), .. Group('C', 1, 18), .. Group('D', 1, 15), .. Group('E', 1, 12), .. Group('F', 1, 19), .. Group('G', 1, 7),
            .. Group('H', 1, 15), .. Group('I', 1, 10), .. Group('M', 1, 32), .. Group('N', 1, 15),
        ];

        Assert.Equal(expected, Read("scoreboard.md").Select(r => r.Id));

        static IEnumerable<string> Group(char group, int first, int last) => Enumerable.Range(first, last - first + 1).Select(n => $"{group}{n:00}");
    }

    private static IEnumerable<string> Traits(MethodInfo method) => method.GetCustomAttributesData()
        .Where(a => a.AttributeType == typeof(TraitAttribute) && a.ConstructorArguments is [{ Value: "Scoreboard" }, _])
        .Select(a => (string)a.ConstructorArguments[1].Value!);

    private static List<(string Id, string Status, List<string> Tests)> Read(string table) =>
    [
        .. File.ReadLines(Path.Combine(Root(), "docs", table))
            .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
            .Where(cells => cells.Length == 6 && RowId().IsMatch(cells[1]))
            .Select(cells => (cells[1], cells[3], Quoted().Matches(cells[4]).Select(m => m.Groups["quoted"].Value).ToList())),
    ];

    private static string Root([CallerFilePath] string here = "") => Path.GetDirectoryName(Path.GetDirectoryName(here))!;

    [GeneratedRegex("^[A-Z][0-9]{2}$", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex RowId();

    [GeneratedRegex(@"^(LASTING_)?TEST\((?<name>\w+)\)", RegexOptions.ExplicitCapture | RegexOptions.Multiline, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex InterceptorTest();

    [GeneratedRegex("`(?<quoted>[^`]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Quoted();
}
