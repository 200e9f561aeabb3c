using System.Globalization;

namespace Hami.Lab.Cluster;

/// <summary>Held by the process that runs a directory's lab; the kernel lets go of it when that process dies.</summary>
internal sealed class LabLock : IDisposable
{
    private readonly FileStream _file;

    private LabLock(FileStream file) => _file = file;

    /// <summary>Takes the lock, or null when a lab is running on the directory.</summary>
    public static LabLock? TryTake(LabPaths paths)
    {
        try
        {
            // FileShare.None is flock(2) with LOCK_EX here.
            return new LabLock(new FileStream(LockFile(paths), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException)
        {
            return null;
        }
    }

    public static bool IsHeld(LabPaths paths)
    {
        if (!Directory.Exists(paths.Root))
            return false;
        using var mine = TryTake(paths);
        return mine is null;
    }

    /// <summary>Writes down who holds it.</summary>
    public static void Sign(LabPaths paths) => File.WriteAllText(PidFile(paths), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));

    /// <summary>Who signed last.</summary>
    public static int HolderOf(LabPaths paths) => int.Parse(File.ReadAllText(PidFile(paths)), CultureInfo.InvariantCulture);

    public void Dispose() => _file.Dispose();

    // Two files: the locked one cannot even be read by others.
    private static string LockFile(LabPaths paths) => Path.Combine(paths.Root, "lab.lock");

    private static string PidFile(LabPaths paths) => Path.Combine(paths.Root, "lab.pid");
}
