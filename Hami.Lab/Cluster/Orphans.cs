using System.Globalization;

namespace Hami.Lab.Cluster;

/// <summary>Programs of a directory's last lab that outlived it, where no parent-death signal could end them.</summary>
internal static class Orphans
{
    /// <summary>Ends every control plane and agent that names this lab's kubeconfig.</summary>
    public static void Kill(LabPaths paths)
    {
        foreach (var folder in Directory.Exists("/proc") ? Directory.EnumerateDirectories("/proc") : [])
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id) && IsOurs(folder, paths))
                Signals.Send(id, Signals.Kill);
    }

    private static bool IsOurs(string folder, LabPaths paths)
    {
        try
        {
            var words = File.ReadAllText(Path.Combine(folder, "cmdline")).Split('\0');
            return words.Contains(paths.Kubeconfig, StringComparer.Ordinal) && words.Any(word => Path.GetFileName(word) is "hami-api.dll" or "hami-node-agent.dll" or "hami-node-agent");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // ended meanwhile, or somebody else's
        }
    }
}
