using System.Text.RegularExpressions;

namespace Hami.Tests.Plumbing;

/// <summary>What a browser fetches to show the overview for the first time, by what the built files say of each other.</summary>
internal static partial class FirstLoad
{
    // The other language, a time of one's own, the controls of the time bar.
    private static readonly string[] OnRequest = ["zh-", "OwnRange-", "TimeControls-"];

    /// <summary>The scripts and styles that the page itself names.</summary>
    public static IEnumerable<string> FilesOfIndex(string folder) =>
        Asset().Matches(File.ReadAllText(Path.Combine(folder, "index.html"))).Select(m => m.Groups[1].Value);

    /// <summary>Each file with its compressed size in bytes.</summary>
    public static IReadOnlyDictionary<string, long> Of(string folder)
    {
        var assets = Path.Combine(folder, "assets");
        var named = FilesOfIndex(folder).ToList();
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal) { ["index.html"] = new FileInfo(Path.Combine(folder, "index.html")).Length };
        foreach (var file in (string[])["scheme.js", "favicon.svg"])
            sizes[file] = new FileInfo(Path.Combine(folder, file + ".br")).Length;
        var entry = named.First(file => file.EndsWith(".js", StringComparison.Ordinal));
        var later = Dynamic(File.ReadAllText(Path.Combine(assets, entry))).Where(file => file[0].StartsWith("OverviewPage-", StringComparison.Ordinal) || file[0].StartsWith("en-", StringComparison.Ordinal));
        var next = new Queue<string>(named.Concat(later.SelectMany(files => files)));
        while (next.TryDequeue(out var file))
        {
            if (!sizes.TryAdd(file, new FileInfo(Path.Combine(assets, file + ".br")).Length) || !file.EndsWith(".js", StringComparison.Ordinal))
                continue;
            var text = File.ReadAllText(Path.Combine(assets, file));
            foreach (var import in Static().Matches(text).Select(m => m.Groups[1].Value))
                next.Enqueue(import);
            // What the entry loads later are the other pages; what another file does, the overview shows, such as its charts, unless somebody has to ask for it.
            if (file != entry)
            {
                foreach (var import in Dynamic(text).Where(files => !OnRequest.Any(files[0].StartsWith)).SelectMany(files => files))
                    next.Enqueue(import);
            }
        }
        return sizes;
    }

    // Each import() with what the bundler fetches beside it.
    private static IEnumerable<IReadOnlyList<string>> Dynamic(string text)
    {
        var table = Asset().Matches(Table().Match(text).Value).Select(m => m.Groups[1].Value).ToList();
        return Later().Matches(text).Select(m => (IReadOnlyList<string>)
            [m.Groups[1].Value, .. m.Groups[2].Value.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(i => table[int.Parse(i)])]);
    }

    [GeneratedRegex("assets/(?<file>[\\w.-]+)[\"'`]", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Asset();

    [GeneratedRegex("(?:from|import)\\s*[\"'`]\\./(?<file>[\\w.-]+)[\"'`]", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Static();

    [GeneratedRegex("import\\([\"'`]\\./(?<file>[\\w.-]+)[\"'`]\\)(?:,__vite__mapDeps\\(\\[(?<list>[\\d,]*)\\]\\))?", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Later();

    [GeneratedRegex("__vite__mapDeps=.*?\\]\\)", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Table();
}
