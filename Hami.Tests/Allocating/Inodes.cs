using System.Diagnostics;

namespace Hami.Tests.Allocating;

/// <summary>.NET shows no inode number.</summary>
internal static class Inodes
{
    /// <summary>Name, device, inode and time of the last change of content.</summary>
    public static string Of(string path)
    {
        using var stat = Process.Start(new ProcessStartInfo("stat", ["-c", "%n %d %i %y", path]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var text = stat.StandardOutput.ReadToEnd();
        stat.WaitForExit();
        Assert.Equal(0, stat.ExitCode);
        return path.EndsWith("/region", StringComparison.Ordinal) ? text[..text.IndexOf(' ', text.IndexOf(' ', text.IndexOf(' ') + 1) + 1)] : text;
    }
}
