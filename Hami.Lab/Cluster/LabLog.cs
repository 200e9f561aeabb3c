using Serilog;
using Serilog.Events;

namespace Hami.Lab.Cluster;

/// <summary>Where the stand-ins in our own process write what they do.</summary>
internal static class LabLog
{
    public static ILoggerFactory To(string file)
    {
        var log = new LoggerConfiguration()
            .MinimumLevel.Information()
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("Grpc", LogEventLevel.Warning)
            .WriteTo.File(file)
            .CreateLogger();
        return LoggerFactory.Create(logging => logging.AddSerilog(log, dispose: true));
    }
}
