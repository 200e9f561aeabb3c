namespace Hami.Lab.Kubelet;

/// <summary>What pods that are gone leave on the disk: their run directories and their logs.</summary>
internal sealed partial class Leftovers(KubeletPaths paths, ILogger<Leftovers> log)
{
    /// <summary>Deletes what the pod had.</summary>
    public void Delete(string podUid) => DeleteWhere(uid => uid == podUid);

    /// <summary>Deletes what pods had that ended unseen, while this kubelet was not there.</summary>
    public void DeleteAllBut(Func<string, bool> isKnown) => DeleteWhere(uid => !isKnown(uid));

    private void DeleteWhere(Func<string, bool> goes)
    {
        foreach (var run in Directory.EnumerateDirectories(paths.Pods).Where(f => goes(Path.GetFileName(f))).ToList())
            Delete(new DirectoryInfo(run));
        foreach (var logs in Directory.EnumerateDirectories(paths.Logs).Where(f => goes(KubeletPaths.LogsOwner(f))).ToList())
            Delete(new DirectoryInfo(logs));
    }

    private void Delete(DirectoryInfo folder)
    {
        try
        {
            folder.Delete(recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            StaysBehind(log, folder.FullName, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Folder} stays behind: {Sentence}")]
    private static partial void StaysBehind(ILogger logger, string folder, string sentence);
}
