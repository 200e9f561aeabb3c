namespace Hami.Api.Measuring;

/// <summary>Times whole requests.</summary>
internal static class StageTimes
{
    /// <summary>Endpoints whose requests count as this stage.</summary>
    public static RouteGroupBuilder Timed(this IEndpointRouteBuilder routes, Stage stage) => routes.MapGroup("").WithMetadata(new TimedAs(stage));

    public static void UseStageTimes(this WebApplication app)
    {
        var time = app.Services.GetRequiredService<TimeProvider>();
        app.Use(async (http, next) =>
        {
            if (http.GetEndpoint()?.Metadata.GetMetadata<TimedAs>() is not { } timed)
            {
                await next(http);
                return;
            }
            var start = time.GetTimestamp();
            await next(http);
            Meters.Took(timed.Stage, time.GetElapsedTime(start));
        });
    }

    private sealed record TimedAs(Stage Stage);
}
