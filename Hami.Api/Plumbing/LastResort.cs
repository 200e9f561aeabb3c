namespace Hami.Api.Plumbing;

/// <summary>An endpoint's bug is answered in the shape its caller reads, and seen in the log; callers that get a bare 500 make the least of it.</summary>
internal static partial class LastResort
{
    private const string Sentence = "hami failed on this request by a fault of its own; its log has the details";

    /// <summary>kube-scheduler's extenders answer 200 with an <c>Error</c>.</summary>
    public static RouteGroupBuilder AsExtender(this IEndpointRouteBuilder routes) =>
        routes.Answering(() => Results.Json(new { Error = Sentence }, options: PascalCase));

    /// <summary>A webhook refuses, and says that it is not the pod's fault.</summary>
    public static RouteGroupBuilder AsWebhook(this IEndpointRouteBuilder routes) => routes.Answering(() => Results.Json(new
    {
        apiVersion = "admission.k8s.io/v1",
        kind = "AdmissionReview",
        response = new { uid = "", allowed = false, status = new { code = StatusCodes.Status500InternalServerError, message = Sentence } },
    }));

    private static readonly System.Text.Json.JsonSerializerOptions PascalCase = new() { PropertyNamingPolicy = null };

    private static RouteGroupBuilder Answering(this IEndpointRouteBuilder routes, Func<IResult> answer)
    {
        var group = routes.MapGroup("");
        group.AddEndpointFilter(async (context, next) =>
        {
            try
            {
                return await next(context);
            }
            catch (Exception e) when (!context.HttpContext.RequestAborted.IsCancellationRequested && !context.HttpContext.Response.HasStarted)
            {
                LogFailed(context.HttpContext.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(LastResort)), context.HttpContext.Request.Path, e);
                return answer();
            }
        });
        return group;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Path} failed by a fault of ours.")]
    private static partial void LogFailed(ILogger logger, string path, Exception exception);
}
