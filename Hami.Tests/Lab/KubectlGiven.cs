using System.ComponentModel;
using System.Diagnostics;
using Hami.Lab.ApiServer;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>The kubectl of this machine, with a home of its own that is gone afterwards.</summary>
internal sealed class KubectlGiven : IDisposable
{
    /// <summary>Where it runs: files named in its arguments lie here.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("hami-lab-").FullName;

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>Points it at a server; false where there is no kubectl.</summary>
    public async Task<bool> Reaches(LabApiServer server)
    {
        await File.WriteAllTextAsync(Path.Combine(Folder, "config"), server.Kubeconfig, Cancellation);
        try
        {
            await Run("version --client");
            return true;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    /// <summary>What a user sees: both streams, less the warnings about versions and missing annotations.</summary>
    public async Task<string> Run(string arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("kubectl", arguments)
        {
            WorkingDirectory = Folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["KUBECONFIG"] = Path.Combine(Folder, "config"), ["HOME"] = Folder },
        })!;
        var errors = process.StandardError.ReadToEndAsync(Cancellation);
        var output = await process.StandardOutput.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
        return output + string.Concat((await errors).Split('\n').Where(l => l.Length > 0 && !l.StartsWith("Warning:", StringComparison.OrdinalIgnoreCase)).Select(l => l + "\n"));
    }
}
