namespace Hami.NodeAgent.Plumbing.Nvml;

/// <summary>NVML as long as it answers: opened where it is found, given up when the driver goes away, opened again when somebody asks later.</summary>
/// <param name="paths">Where it may be, best first; none on a node whose cards are simulated.</param>
internal sealed partial class NvmlSession(IReadOnlyList<string> paths, TimeProvider time, ILogger<NvmlSession> log) : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private NvmlLibrary? open;
    private long? failedAt;
    private NvmlException? failure;

    /// <summary>Are there cards to be asked at all?</summary>
    public bool Exists => paths.Count > 0;

    /// <summary>Asks NVML something.</summary>
    /// <exception cref="NvmlException">It said no, or it is not there; a driver that went away is opened anew at the next question.</exception>
    public T Ask<T>(Func<NvmlLibrary, T> question)
    {
        var nvml = Open();
        try
        {
            return question(nvml);
        }
        catch (NvmlException e) when (e.DriverIsGone)
        {
            GiveUp(nvml, e);
            throw;
        }
    }

    public void Dispose()
    {
        lock (gate)
            open?.Dispose();
    }

    private NvmlLibrary Open()
    {
        lock (gate)
        {
            if (open is not null)
                return open;
            // To try costs milliseconds, and many ask.
            if (failedAt is { } at && time.GetElapsedTime(at) < Pause)
                throw failure!;
            failure = new("nvmlInit", NvmlResult.LibraryNotFound, "no NVML is looked for on this node");
            foreach (var path in paths)
                try
                {
                    open = NvmlLibrary.Open(path);
                    LogOpen(path, open.DriverVersion());
                    failedAt = null;
                    return open;
                }
                catch (NvmlException e)
                {
                    failure = e;
                }
            failedAt = time.GetTimestamp();
            throw failure;
        }
    }

    private void GiveUp(NvmlLibrary nvml, NvmlException why)
    {
        lock (gate)
        {
            if (open != nvml)
                return;
            LogLost(why.Message);
            open.Dispose();
            open = null;
        }
    }

    [LoggerMessage(LogLevel.Information, "NVML at {Path}, driver {Driver}")]
    private partial void LogOpen(string path, string driver);

    [LoggerMessage(LogLevel.Warning, "NVML does not answer any more: {Reason}")]
    private partial void LogLost(string reason);
}
