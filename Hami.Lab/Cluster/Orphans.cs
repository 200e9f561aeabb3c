namespace Hami.Lab.Cluster;

/// <summary>Programs of a directory's last lab that outlived it, where no parent-death signal could end them.</summary>
internal static class Orphans
{
    /// <summary>Ends every control plane and agent that names this lab's kubeconfig.</summary>
    public static void Kill(LabPaths paths)
    {
        foreach (var id in RunningProcesses.Where(id => IsOurs(id, paths)))
            Signals.Send(id, Signals.Kill);
    }

    private static bool IsOurs(int id, LabPaths paths)
    {
        var words = File.ReadAllText($"/proc/{id}/cmdline").Split('\0');
        return words.Contains(paths.Kubeconfig, StringComparer.Ordinal) && words.Any(word => Path.GetFileName(word) is "hami-api.dll" or "hami-node-agent.dll" or "hami-node-agent");
    }
}
