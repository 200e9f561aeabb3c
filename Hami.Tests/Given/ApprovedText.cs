using System.Runtime.CompilerServices;

namespace Hami.Tests.Given;

/// <summary>Texts that others depend on, kept in the source tree under <c>Approved/</c>: a change there is a decision, not an accident.</summary>
/// <remarks>With <c>HAMI_APPROVE=1</c> in the environment the files take over what is true now; the diff is then to be read and committed.</remarks>
internal static class ApprovedText
{
    private static readonly bool Approve = Environment.GetEnvironmentVariable("HAMI_APPROVE") == "1";

    /// <summary>Fails unless the file holds exactly this text.</summary>
    /// <param name="file">Path below <c>Hami.Tests/Approved</c>.</param>
    public static void Is(string file, string actual)
    {
        actual = actual.ReplaceLineEndings("\n").TrimEnd('\n') + "\n";
        var path = Path.Combine(Folder(), file);
        if (Approve)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
        }
        var approved = File.Exists(path) ? File.ReadAllText(path) : null;
        if (approved == actual)
            return;
        Assert.Fail(
            $"""
            {(approved is null ? "Nothing is approved yet in" : $"Line {FirstDifference(approved, actual)} is not what is approved in")} Hami.Tests/Approved/{file}.
            Others depend on this text. If the change is meant, put the text below into that file, or run the test once with HAMI_APPROVE=1; then commit the diff.
            ---- the actual text ----
            {actual}
            """);
    }

    /// <summary>While texts are approved: keeps what was approved before beside the new one, as <c>name.1.json</c>, <c>name.2.json</c> and so on.</summary>
    /// <param name="isAnotherVersion">Told what is approved; whether it is more than another value in the same place.</param>
    public static void KeepEarlier(string file, Func<string, bool> isAnotherVersion)
    {
        var path = Path.Combine(Folder(), file);
        if (!Approve || !File.Exists(path) || !isAnotherVersion(File.ReadAllText(path)))
            return;
        var number = Enumerable.Range(1, int.MaxValue - 1).First(n => !File.Exists(Numbered(n)));
        File.Copy(path, Numbered(number));

        string Numbered(int n) => Path.ChangeExtension(path, $"{n}{Path.GetExtension(path)}");
    }

    /// <summary>All approved files of a folder below <c>Hami.Tests/Approved</c>, in order of their names.</summary>
    public static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Folder(), folder)).Order(StringComparer.Ordinal);

    private static int FirstDifference(string approved, string actual) =>
        approved.Split('\n').Zip(actual.Split('\n')).TakeWhile(lines => lines.First == lines.Second).Count() + 1;

    private static string Folder([CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(here))!, "Approved");
}
