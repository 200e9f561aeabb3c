using System.Diagnostics;

namespace Hami.Lab.Cluster;

/// <summary>Programs of this machine: where they are, and running one to its end.</summary>
internal static class Programs
{
    /// <summary>The path of a program in PATH or where Debian keeps the administrator's, or null.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Concat(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);

    /// <summary>Runs a program to its end and returns its output; throws with what it said when it fails.</summary>
    public static async Task<string> RunAsync(IReadOnlyList<string> command, string? input, CancellationToken ct)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = "/", // another user may not be allowed into ours
        };
        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{command[0]} did not start.");
        var output = process.StandardOutput.ReadToEndAsync(ct);
        var errors = process.StandardError.ReadToEndAsync(ct);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync(ct);
        if (process.ExitCode != 0)
            throw new InvalidOperationException(
                $"{string.Join(' ', command)} ended with {process.ExitCode}: {(await errors).Trim()} {(await output).Trim()}".TrimEnd());
        return await output;
    }
}
