namespace Hami.Lab.Kubelet;

/// <summary>What <c>kubectl logs</c> gets: <c>GET /containerLogs/{namespace}/{pod}/{container}</c>.</summary>
internal static class ContainerLogs
{
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(100);

    public static void Map(IEndpointRouteBuilder app, PodDirectory pods, TimeProvider time) =>
        app.MapGet("/containerLogs/{podNamespace}/{pod}/{container}", (string podNamespace, string pod, string container, HttpContext http) =>
            Serve(pods, time, podNamespace, pod, container, http));

    /// <summary>Where the last so many lines of the text begin.</summary>
    public static long TailStart(Stream text, int lines)
    {
        const int Block = 4096;
        var buffer = new byte[Block];
        var end = text.Length;
        // The newline that ends the last line does not begin another one.
        var left = lines + 1;
        if (end > 0)
        {
            text.Position = end - 1;
            if (text.ReadByte() != '\n')
                left--;
        }
        for (var block = end; block > 0 && lines >= 0;)
        {
            var from = Math.Max(0, block - Block);
            text.Position = from;
            var count = text.ReadAtLeast(buffer.AsSpan(0, (int)(block - from)), (int)(block - from), throwOnEndOfStream: false);
            for (var i = count - 1; i >= 0; i--)
            {
                if (buffer[i] == '\n' && --left == 0)
                    return from + i + 1;
            }
            block = from;
        }
        return 0;
    }

    private static async Task Serve(PodDirectory pods, TimeProvider time, string podNamespace, string pod, string container, HttpContext http)
    {
        var request = LogRequest.Of(http.Request.Query, time.GetUtcNow());
        var previous = request.Previous;
        var worker = pods.Find(podNamespace, pod);
        var state = worker?.Container(container);
        if (worker is null || state is null)
        {
            var what = worker is null ? $"pod \"{pod}\" not found" : $"container \"{container}\" not found in pod \"{pod}\"";
            await Say(http, StatusCodes.Status404NotFound, what);
            return;
        }
        if (previous && state.Restarts == 0)
        {
            await Say(http, StatusCodes.Status400BadRequest, $"previous terminated container \"{container}\" in pod \"{pod}\" not found");
            return;
        }
        var file = worker.LogFile(state, previous);
        // While a restart is pending the newest log is the one before it.
        if (!File.Exists(file) && state.Restarts > 0)
            file = worker.LogFile(state, previous: true);
        if (!File.Exists(file))
        {
            await Say(http, StatusCodes.Status400BadRequest, $"container \"{container}\" in pod \"{pod}\" is waiting to start: {state.Waiting.Reason}");
            return;
        }

        http.Response.ContentType = "text/plain";
        await using var log = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var clock = file == state.Clock?.File ? state.Clock : file == state.ClockBefore?.File ? state.ClockBefore : null;
        log.Position = Start(log, request, clock);
        var copy = new LogCopy(request, clock, http.Response.Body);
        var follow = request.Follow && !previous;
        while (true)
        {
            // Asked before the copy: what a process wrote before it ended is then surely copied.
            var ended = state.Process?.LogFile != file;
            var more = await copy.Copy(log, http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
            if (!follow || ended || !more)
                return;
            await Task.Delay(Glance, http.RequestAborted);
        }
    }

    private static long Start(FileStream log, LogRequest request, LogClock? clock)
    {
        var start = request.TailLines is { } lines ? TailStart(log, lines) : 0;
        if (request.Since is { } since)
        {
            clock?.Look();
            start = Math.Max(start, LineStart(log, clock?.Since(since) ?? (File.GetLastWriteTimeUtc(log.Name) >= since.UtcDateTime ? 0 : log.Length)));
        }
        return start;
    }

    // A line belongs to the moment in which it was begun.
    private static long LineStart(FileStream log, long position)
    {
        if (position == 0)
            return 0;
        log.Position = position - 1;
        for (var read = log.ReadByte(); read >= 0 && read != '\n';)
            read = log.ReadByte();
        return log.Position;
    }

    private static async Task Say(HttpContext http, int status, string sentence)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain";
        await http.Response.WriteAsync(sentence, http.RequestAborted);
    }
}
